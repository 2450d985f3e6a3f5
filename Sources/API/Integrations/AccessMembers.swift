import Domain
import Edge
import Storage
import Transparency

/// Members that say what may be accessed, from where and until when; of integrations and of grants.
enum AccessMembers {
    /// Ranges of one list at most: every call is compared with each.
    static let mostRanges = 100
    /// Of `address/length`, an IPv4 address written as an IPv6 one.
    static let mostRangeCharacters = 49
    /// Scopes of one list at most: more than there can be.
    static let mostScopes = 256
    /// Unknown scopes that a refusal names at most.
    static let mostUnknown = 20

    /// Refuses none, and what `catalogue` does not hold: see ``APICall/catalogue(for:)``.
    static func scopes(_ names: [String], in catalogue: ScopeSet) throws(EdgeError) -> ScopeSet {
        guard (1...mostScopes).contains(names.count) else {
            throw .invalid([.init("/scopes", "1 to \(mostScopes) scopes.")])
        }
        var scopes: [Scope] = []
        var unknown: [EdgeError.Reason] = []
        for (place, name) in names.enumerated() {
            if let scope = Scope(name), catalogue.contains(scope) {
                scopes.append(scope)
            } else if unknown.count < mostUnknown {
                unknown.append(.init("/scopes/\(place)", "This scope is not known; /v1/scopes lists those that are."))
            }
        }
        guard unknown.isEmpty else { throw .invalid(unknown) }
        return ScopeSet(scopes)
    }

    /// nil stands for unrestricted; an empty list, which nobody could call from, is refused.
    static func ranges(_ texts: [String]?) throws(EdgeError) -> [NetworkRange]? {
        guard let texts else { return nil }
        guard (1...mostRanges).contains(texts.count) else {
            throw .invalid([.init("/ip_allow_list", "1 to \(mostRanges) ranges, or null for unrestricted.")])
        }
        var ranges: [NetworkRange] = []
        for (place, text) in texts.enumerated() {
            do throws(NetworkRangeError) {
                let range = try NetworkRange(text)
                if !ranges.contains(range) { ranges.append(range) }
            } catch {
                throw .invalid([.init("/ip_allow_list/\(place)", explained(error))])
            }
        }
        return ranges
    }

    private static func explained(_ error: NetworkRangeError) -> String {
        switch error {
        case .notAnAddress: "This is no address, and no range in CIDR notation."
        case .invalidPrefixLength: "The length after the slash has to be 0 to 32 for IPv4, 0 to 128 for IPv6."
        case .hostBitsSet(let meant): "The address has bits behind its prefix; \(meant) may be meant."
        }
    }

    /// A new thing says from where it may be used: whoever forgets it does not get everywhere.
    static func requireAllowList(in body: JSON) throws(EdgeError) {
        guard body["ip_allow_list"] == nil else { return }
        throw .invalid([.init("/ip_allow_list", "This member is missing; null stands for unrestricted.")])
    }

    static func workspace(_ text: String) throws(EdgeError) -> WorkspaceReference {
        guard let workspace = WorkspaceReference(text) else {
            throw .invalid([.init("/workspace", "An id or slug of a workspace.")])
        }
        return workspace
    }

    static func json(_ scopes: ScopeSet) -> JSON { .array(scopes.names.map(JSON.string)) }

    static func json(_ ranges: [NetworkRange]?) -> JSON {
        ranges.map { .array($0.map { .string($0.description) }) } ?? .null
    }
}

extension Schema {
    static let ipAllowList = Schema.array(
        of: .string(length: 2...AccessMembers.mostRangeCharacters),
        atLeast: 1,
        most: AccessMembers.mostRanges
    ).orNull
        .described("Addresses and ranges in CIDR notation; null: unrestricted.")
    static let someScopes = Schema.array(of: .scopeName, atLeast: 1, most: AccessMembers.mostScopes)
    static let workspaceReference = Schema.string(length: 1...63, matching: "^[a-z0-9][a-z0-9_-]*$")
        .described("Id or slug of a workspace.")
}
