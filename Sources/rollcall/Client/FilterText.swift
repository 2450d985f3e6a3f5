import Transparency

/// SCIM filters of options.
enum FilterText {
    /// All of it at once: members that have to equal what was given, and what was written by hand. nil where nothing was
    /// given.
    static func all(_ members: [(name: String, value: String?)], and written: String?) -> String? {
        let equal = members.compactMap { member in
            member.value.map { "\(member.name) eq \(JSON.string($0).text)" }
        }
        guard let written else { return equal.isEmpty ? nil : equal.joined(separator: " and ") }
        return equal.isEmpty ? written : (equal + ["(\(written))"]).joined(separator: " and ")
    }
}
