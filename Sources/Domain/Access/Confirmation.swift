import Crypto

/// The value by which somebody who was asked to look again says that they did. It stands for exactly what they were
/// shown: when something else would come of it meanwhile, it is another value, and they are asked anew. No secret.
package struct Confirmation: Sendable, Hashable {
    package let value: String

    /// `what` names the action, `parts` everything that the person has to have seen, in any order.
    package init(of what: String, seeing parts: some Sequence<String>) {
        var hash = SHA256()
        // Lengths part the texts, so that no two lists read alike.
        for text in [what] + parts.sorted() { hash.update(data: Array("\(text.utf8.count):\(text)".utf8)) }
        value = "ok_" + hash.finalize().prefix(10).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
