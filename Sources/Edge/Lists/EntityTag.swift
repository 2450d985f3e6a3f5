package import HTTPTypes

/// The strong entity tag (RFC 9110 8.8.3) of a row: its version.
package struct EntityTag: Hashable, Sendable, CustomStringConvertible {
    package let version: Int64

    /// The tag of that version of a row.
    package init(version: Int64) { self.version = version }

    package var description: String { "\"v\(version)\"" }

    /// The form of a tag of ours, quotes included, as a regular expression.
    package static let pattern = #"^"v(0|[1-9][0-9]{0,17})"$"#

    private init?(_ text: String) {
        guard text.utf8.count <= 21, text.hasPrefix("\"v"), text.hasSuffix("\""),
            let version = Int64(text.dropFirst(2).dropLast()), version >= 0, "\"v\(version)\"" == text
        else { return nil }
        self.version = version
    }

    /// The version that a change is meant for. Refuses a missing `If-Match` with 428, and `*`, weak tags, lists and
    /// tags that were never ours with 400: none of them names the one version that the caller has seen.
    package static func required(in fields: HTTPFields) throws(EdgeError) -> EntityTag {
        let values = fields[values: .ifMatch]
        guard let value = values.first else { throw .preconditionRequired }
        guard values.count == 1, let tag = EntityTag(value) else {
            throw .malformed(detail: "If-Match has to be the ETag of one version, as it came.")
        }
        return tag
    }

    /// Refuses unless the entity is still the one that the caller has seen.
    package func require(_ current: EntityTag) throws(EdgeError) {
        guard self == current else { throw .preconditionFailed }
    }

    /// Whether `If-None-Match` already holds this tag, so that a GET answers 304.
    package func isHeld(by fields: HTTPFields) -> Bool {
        fields[values: .ifNoneMatch].contains { value in
            value == "*"
                || value.split(separator: ",").contains { part in
                    var part = part.drop { $0 == " " }
                    if part.hasPrefix("W/") { part = part.dropFirst(2) }
                    return part.prefix { $0 != " " } == description
                }
        }
    }
}
