// The nouns that have ids, each with its prefix. A prefix is part of the interface and never changes.

/// Kinds of nouns, never values: each only tells ids of one noun from those of another.
package enum OrganizationKind: IDKind { package static let prefix = "org" }
package enum WorkspaceKind: IDKind { package static let prefix = "wsp" }
package enum SourceKind: IDKind { package static let prefix = "src" }
package enum SourceKeyKind: IDKind { package static let prefix = "key" }
package enum DeliveryKind: IDKind { package static let prefix = "dlv" }
package enum RejectedRequestKind: IDKind { package static let prefix = "rej" }
package enum EventIDKind: IDKind { package static let prefix = "evt" }
package enum PersonKind: IDKind { package static let prefix = "per" }
package enum HoldIDKind: IDKind { package static let prefix = "hld" }
package enum UserIDKind: IDKind { package static let prefix = "usr" }
package enum IntegrationKind: IDKind { package static let prefix = "int" }
package enum GrantKind: IDKind { package static let prefix = "grt" }
package enum ClaimLinkKind: IDKind { package static let prefix = "clm" }
package enum ApprovalIDKind: IDKind { package static let prefix = "apr" }
package enum GrantSecretKind: IDKind { package static let prefix = "sec" }
package enum TokenIDKind: IDKind { package static let prefix = "tok" }
package enum AuthorizationKind: IDKind { package static let prefix = "aut" }
package enum AuditEntryKind: IDKind { package static let prefix = "ent" }
package enum AuditQueryKind: IDKind { package static let prefix = "qry" }
package enum AppKind: IDKind { package static let prefix = "app" }
package enum SessionKind: IDKind { package static let prefix = "ses" }
package enum PasswordLinkKind: IDKind { package static let prefix = "pwl" }
package enum ResourceKind: IDKind { package static let prefix = "rsc" }
package enum RegistrationKind: IDKind { package static let prefix = "reg" }
package enum RequestKind: IDKind { package static let prefix = "req" }

package typealias OrganizationID = ID<OrganizationKind>
package typealias WorkspaceID = ID<WorkspaceKind>
package typealias SourceID = ID<SourceKind>
package typealias SourceKeyID = ID<SourceKeyKind>
package typealias DeliveryID = ID<DeliveryKind>
package typealias RejectedRequestID = ID<RejectedRequestKind>
package typealias EventID = ID<EventIDKind>
package typealias PersonID = ID<PersonKind>
package typealias HoldID = ID<HoldIDKind>
package typealias UserID = ID<UserIDKind>
package typealias IntegrationID = ID<IntegrationKind>
package typealias GrantID = ID<GrantKind>
package typealias ClaimLinkID = ID<ClaimLinkKind>
package typealias ApprovalID = ID<ApprovalIDKind>
package typealias GrantSecretID = ID<GrantSecretKind>
package typealias TokenID = ID<TokenIDKind>
package typealias AuthorizationID = ID<AuthorizationKind>
package typealias AuditEntryID = ID<AuditEntryKind>
package typealias AuditQueryID = ID<AuditQueryKind>
package typealias AppID = ID<AppKind>
package typealias SessionID = ID<SessionKind>
package typealias PasswordLinkID = ID<PasswordLinkKind>
package typealias ResourceID = ID<ResourceKind>
package typealias RegistrationID = ID<RegistrationKind>
package typealias RequestID = ID<RequestKind>

/// The short name by which people address a thing inside its organization: lower-case letters, digits and inner
/// hyphens, 1 to 63 characters.
package struct Slug: Hashable, Sendable, LosslessStringConvertible, Codable {
    package let description: String

    package init?(_ description: String) {
        let text = description.utf8
        let inner = text.allSatisfy { character in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) || character == UInt8(ascii: "-")
        }
        guard (1...63).contains(text.count), inner, text.first != UInt8(ascii: "-"), text.last != UInt8(ascii: "-")
        else { return nil }
        self.description = description
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let slug = Slug(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "is not a slug: lower-case letters, digits and inner hyphens, 1 to 63 characters"
            )
        }
        self = slug
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An address that people of an integration or app can be reached at: one `@`, something on both sides, at most 254
/// characters, no white space or control characters. Not proved to exist.
package struct ContactEmail: Hashable, Sendable, LosslessStringConvertible {
    package let description: String

    /// Of a client that names nobody (RFC 2606 2).
    package static let nobody = ContactEmail(known: "nobody@client.invalid")

    private init(known: String) { description = known }

    package init?(_ description: String) {
        let text = description.utf8
        let visible = text.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        guard text.count <= 254, visible, let at = text.firstIndex(of: UInt8(ascii: "@")),
            text.lastIndex(of: UInt8(ascii: "@")) == at, at != text.startIndex, text.index(after: at) != text.endIndex
        else { return nil }
        self.description = description
    }
}
