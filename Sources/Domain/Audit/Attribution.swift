import Transparency

/// Who did it, on whose behalf, from where, and because of what: the half of an audit entry that is known before the
/// change is made.
package struct Attribution: Sendable {
    package var actor: Actor
    package var credential: Credential?
    /// From the actor outward. For an integration user made for a person: that person.
    package var onBehalfOf: [PersonID]
    package var delivery: DeliveryID?
    package var event: EventID?
    package var origin: Origin
    /// When it reached us.
    package var receivedAt: Timestamp

    /// What was presented, without the secret: a token, or the session of a browser.
    package struct Credential: Sendable, Hashable {
        /// `tok_…` or `ses_…`.
        package let id: String
        /// First 8 hexadecimal digits of the stored digest: enough to name it in a leaf, useless to forge it.
        package let digestPrefix: String

        /// A token that was presented, or is made.
        package init(token: TokenID, digestPrefix: String) {
            id = token.description
            self.digestPrefix = digestPrefix
        }

        /// A session of a browser.
        package init(session: SessionID, digestPrefix: String) {
            id = session.description
            self.digestPrefix = digestPrefix
        }
    }

    /// Who acts.
    package enum Actor: Sendable, Hashable {
        case integrationUser(UserID)
        case member(UserID)
        /// Rollcall itself, or an operator on its machine: what part of it, as a fixed word.
        case system(String)

        package var user: UserID? {
            switch self {
            case .integrationUser(let id), .member(let id): id
            case .system: nil
            }
        }

        var json: JSON {
            switch self {
            case .integrationUser(let id): ["kind": "integration_user", "id": .string(id.description)]
            case .member(let id): ["kind": "member", "id": .string(id.description)]
            case .system(let part): ["kind": "system", "id": .string(part)]
            }
        }
    }

    /// Where a request came from.
    package struct Origin: Sendable, Hashable {
        package var request: RequestID?
        /// W3C trace id, 32 hexadecimal digits.
        package var trace: String?
        package var address: IPAddress?
        /// As sent, cut at ``mostUserAgentCharacters``.
        package var userAgent: String?

        package static let mostUserAgentCharacters = 256

        /// Cuts the user agent at ``mostUserAgentCharacters``.
        package init(
            request: RequestID? = nil,
            trace: String? = nil,
            address: IPAddress? = nil,
            userAgent: String? = nil
        ) {
            self.request = request
            self.trace = trace
            self.address = address
            self.userAgent = userAgent.map { String($0.prefix(Self.mostUserAgentCharacters)) }
        }
    }

    package init(
        actor: Actor,
        credential: Credential? = nil,
        onBehalfOf: [PersonID] = [],
        delivery: DeliveryID? = nil,
        event: EventID? = nil,
        origin: Origin = Origin(),
        receivedAt: Timestamp
    ) {
        self.actor = actor
        self.credential = credential
        self.onBehalfOf = onBehalfOf
        self.delivery = delivery
        self.event = event
        self.origin = origin
        self.receivedAt = receivedAt
    }

    /// A call of an authenticated caller.
    package init(caller: Caller, origin: Origin, receivedAt: Timestamp) {
        self.init(
            actor: caller.kind == .integration ? .integrationUser(caller.user) : .member(caller.user),
            credential: Credential(token: caller.credential.token, digestPrefix: caller.credential.digestPrefix),
            onBehalfOf: caller.kind == .integration ? [caller.person].compactMap(\.self) : [],
            origin: origin,
            receivedAt: receivedAt
        )
    }
}

extension Attribution {
    /// What a signed-in member does on a page.
    package init(session: SessionCaller, origin: Origin, receivedAt: Timestamp) {
        self.init(
            actor: .member(session.user),
            credential: Credential(session: session.session, digestPrefix: session.digestPrefix),
            origin: origin,
            receivedAt: receivedAt
        )
    }
}

/// By what right a change was made.
package enum Authority: Sendable, Hashable {
    /// An integration's rule at a version.
    case rule(IntegrationID, version: Int64)
    /// A scope that the caller's token carried.
    case scope(Scope)
    /// The custodian of the grant's user, who alone may have its secret.
    case custodian
    /// A one-time claim link.
    case claimLink(ClaimLinkID)
    /// A one-time link for setting a password.
    case passwordLink(PasswordLinkID)
    /// What a second admin agreed to.
    case approval(ApprovalID)
    /// What a source said about a person that it brought.
    case source(SourceID)
    /// An operator with access to the machine and the owner's role.
    case operatorAccess

    var json: JSON {
        switch self {
        case .rule(let id, let version):
            ["kind": "rule", "id": .string(id.description), "version": .number(JSON.Number(version))]
        case .scope(let scope): ["kind": "scope", "id": .string(scope.description)]
        case .custodian: ["kind": "custodian"]
        case .claimLink(let id): ["kind": "claim_link", "id": .string(id.description)]
        case .passwordLink(let id): ["kind": "password_link", "id": .string(id.description)]
        case .approval(let id): ["kind": "approval", "id": .string(id.description)]
        case .source(let id): ["kind": "source", "id": .string(id.description)]
        case .operatorAccess: ["kind": "operator"]
        }
    }
}

/// What an entry is about.
package struct AuditTarget: Sendable, Hashable {
    package let kind: String
    package let id: String
    /// The 128 bits of the id, for the search column.
    package let bits: IDBits

    /// For the functions below: `kind` is the word of the API for the noun of `id`.
    package init<Kind>(_ kind: String, _ id: ID<Kind>) {
        self.kind = kind
        self.id = id.description
        bits = IDBits(high: id.high, low: id.low)
    }

    /// One for each noun that an entry can be about; the kind is the word of the API.
    package static func organization(_ id: OrganizationID) -> AuditTarget { AuditTarget("organization", id) }
    package static func person(_ id: PersonID) -> AuditTarget { AuditTarget("person", id) }
    package static func hold(_ id: HoldID) -> AuditTarget { AuditTarget("hold", id) }
    package static func user(_ id: UserID) -> AuditTarget { AuditTarget("user", id) }
    package static func integration(_ id: IntegrationID) -> AuditTarget { AuditTarget("integration", id) }
    package static func workspace(_ id: WorkspaceID) -> AuditTarget { AuditTarget("workspace", id) }
    package static func resource(_ id: ResourceID) -> AuditTarget { AuditTarget("resource", id) }
    package static func grant(_ id: GrantID) -> AuditTarget { AuditTarget("grant", id) }
    package static func claimLink(_ id: ClaimLinkID) -> AuditTarget { AuditTarget("claim_link", id) }
    package static func app(_ id: AppID) -> AuditTarget { AuditTarget("app", id) }
    package static func authorization(_ id: AuthorizationID) -> AuditTarget { AuditTarget("authorization", id) }
    package static func session(_ id: SessionID) -> AuditTarget { AuditTarget("session", id) }
    package static func passwordLink(_ id: PasswordLinkID) -> AuditTarget { AuditTarget("password_link", id) }
    package static func approval(_ id: ApprovalID) -> AuditTarget { AuditTarget("approval", id) }
    package static func token(_ id: TokenID) -> AuditTarget { AuditTarget("token", id) }
    package static func source(_ id: SourceID) -> AuditTarget { AuditTarget("source", id) }
    package static func sourceKey(_ id: SourceKeyID) -> AuditTarget { AuditTarget("source_key", id) }
    package static func delivery(_ id: DeliveryID) -> AuditTarget { AuditTarget("delivery", id) }
    package static func rejectedRequest(_ id: RejectedRequestID) -> AuditTarget { AuditTarget("rejected_request", id) }
    package static func event(_ id: EventID) -> AuditTarget { AuditTarget("event", id) }
    package static func auditQuery(_ id: AuditQueryID) -> AuditTarget { AuditTarget("audit_query", id) }
    package static func auditEntry(_ id: AuditEntryID) -> AuditTarget { AuditTarget("audit_entry", id) }
}

/// An id without its noun.
package struct IDBits: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads an id of whatever noun: a query names its target by id alone.
    package init?(anyID text: String) {
        let prefix = text.prefix { $0 != "_" }.utf8
        guard prefix.count == 3, prefix.allSatisfy((UInt8(ascii: "a")...UInt8(ascii: "z")).contains),
            let id = ID<AnyKind>("any" + text.dropFirst(3))
        else { return nil }
        self.init(high: id.high, low: id.low)
    }

    private enum AnyKind: IDKind { static let prefix = "any" }
}
