package import Transparency

/// What a sender sends besides events, before them or between them.
package enum Handshake: Hashable, Sendable {
    /// A GET with a challenge in that header, answered `{member: challenge}`. Nothing proves where it comes from.
    case echoGet(header: String, member: String)
    /// A POST that meets the condition, answered with the text that `challenge` points to.
    case echoPost(when: Condition, challenge: String)
    /// A POST without a proof that carries, there, the token that will be the key. An admin has to confirm it first, and
    /// none replaces a key that is there.
    case captureToken(pointer: String)
    /// A delivery that makes no event: one whose body is no JSON where `text` is true, or one that meets the condition.
    case acceptPing(text: Bool, when: Condition?)

    /// A member of the body that has to be this text.
    package struct Condition: Hashable, Sendable {
        /// RFC 6901.
        package let pointer: String
        package let value: String

        /// Whether the body is such a one.
        package func holds(in body: JSON) -> Bool {
            body[pointer: pointer]?.string.map { $0.utf8.elementsEqual(value.utf8) } ?? false
        }
    }
}
