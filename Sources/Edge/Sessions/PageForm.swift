package import Hummingbird

/// The form that a page of ours posted, read once.
package struct PageForm: Sendable {
    private let values: [String: String]

    /// Bytes of a form at most.
    package static let mostBytes = 16 * 1024

    /// Refuses another content type and a member that stands twice.
    package init(_ request: Request) async throws {
        let type = request.headers[.contentType]?.lowercased().prefix { $0 != ";" } ?? ""
        guard type.filter({ $0 != " " }) == "application/x-www-form-urlencoded" else {
            throw EdgeError.unsupportedMediaType(accepted: "application/x-www-form-urlencoded")
        }
        let body = try await request.readBody(mostBytes: Self.mostBytes)
        var values: [String: String] = [:]
        for (name, value) in try QueryParameters.read(String(buffer: body)) {
            guard values.updateValue(value, forKey: name) == nil else {
                throw EdgeError.malformed(detail: "A member of the form stands more than once.")
            }
        }
        self.values = values
    }

    /// Empty where the form does not have it.
    package subscript(_ name: String) -> String { values[name] ?? "" }

    /// What stands behind `prefix` in the names of members that are there: the boxes of a list that were ticked.
    package func ticked(_ prefix: String) -> [String] {
        values.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    /// The member of every form on a page of a session.
    package static let tokenName = "form_token"
}
