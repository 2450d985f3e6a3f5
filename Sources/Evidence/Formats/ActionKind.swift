/// What an action is in the words of formats that sort events into kinds.
package struct ActionKind: Hashable, Sendable {
    package let shape: Shape
    package let change: Change

    /// What happened belongs to.
    package enum Shape: Sendable {
        /// Somebody proved who they are, or was refused, or ended that.
        case authentication
        /// An account of somebody began, changed or ended.
        case account
        /// Somebody got the right to something, or lost it.
        case access
        /// Anything else that is kept changed.
        case entity
        /// Somebody asked, and nothing changed.
        case call
    }

    /// What happened.
    package enum Change: Sendable {
        case begin, end, create, read, update, delete, enable, disable, other
    }

    /// OCSF's number of what happened, where its class has a closer one than that of the change.
    let ocsfActivity: Int?

    private init(_ shape: Shape, _ change: Change, ocsfActivity: Int? = nil) {
        self.shape = shape
        self.change = change
        self.ocsfActivity = ocsfActivity
    }

    /// Whether the action is one that Rollcall knows. Those that an API of the organization tells are not.
    package static func isKnown(_ action: String) -> Bool { exact[action] != nil || byVerb(action) != nil }

    /// The kind of an action, also of one that nobody knows: that is a call.
    package init(_ action: String) {
        self = Self.exact[action] ?? Self.byVerb(action) ?? ActionKind(.call, .other)
    }

    /// By what stands behind the dot, or its last word (`key_added`), for what the table does not name.
    private static func byVerb(_ action: String) -> ActionKind? {
        guard !action.hasPrefix("ext."), let dot = action.lastIndex(of: ".") else { return nil }
        let verb = action[action.index(after: dot)...]
        let word = verb.lastIndex(of: "_").map { verb[verb.index(after: $0)...] } ?? verb
        return verbs[String(verb)] ?? verbs[String(word)]
    }

    private static let verbs: [String: ActionKind] = [
        "created": .init(.entity, .create), "added": .init(.entity, .create), "accepted": .init(.entity, .create),
        "requested": .init(.entity, .create),
        "updated": .init(.entity, .update), "confirmed": .init(.entity, .update), "retried": .init(.entity, .update),
        "settled": .init(.entity, .update), "unmapped": .init(.entity, .update),
        "partly_mapped": .init(.entity, .update), "dead": .init(.entity, .update),
        "refused": .init(.entity, .update), "adopted": .init(.entity, .update), "captured": .init(.entity, .update),
        "approved": .init(.entity, .update), "withdrawn": .init(.entity, .update), "moved": .init(.entity, .update),
        "fetched": .init(.entity, .update), "expiring": .init(.entity, .update), "rotated": .init(.entity, .update),
        "refreshed": .init(.entity, .update), "queued": .init(.entity, .update),
        "started": .init(.entity, .update), "stalled": .init(.entity, .update),
        "denied": .init(.entity, .update), "registered": .init(.entity, .update),
        "removed": .init(.entity, .delete), "ended": .init(.entity, .delete), "expired": .init(.entity, .delete),
        "dismissed": .init(.entity, .delete), "revoked": .init(.entity, .delete),
        "lifted": .init(.entity, .delete),
        "enabled": .init(.entity, .enable), "disabled": .init(.entity, .disable),
        "read": .init(.call, .read), "exported": .init(.call, .read), "revealed": .init(.call, .read),
    ]

    // OCSF 1.8.0: Account Change 1 create, 2 enable, 3 password change, 4 password reset, 5 disable, 6 delete,
    // 7 attach policy, 10 factor on, 11 factor off; User Access Management 1 assign, 2 revoke.
    private static let exact: [String: ActionKind] = [
        "session.started": .init(.authentication, .begin), "session.ended": .init(.authentication, .end),
        "token.issued": .init(.authentication, .begin), "token.revoked": .init(.authentication, .end),
        "token.introspected": .init(.call, .read), "access.checked": .init(.call, .read),
        "audit.appended": .init(.call, .create),

        "person.created": .init(.account, .create), "person.ended": .init(.account, .disable),
        "person.returned": .init(.account, .enable), "person.erased": .init(.account, .delete),
        "user.created": .init(.account, .create), "user.deactivated": .init(.account, .disable),
        "user.role_changed": .init(.account, .update, ocsfActivity: 7),
        "user.custodian_changed": .init(.account, .update),
        "account.password_set": .init(.account, .update, ocsfActivity: 3),
        "account.second_factor_added": .init(.account, .update, ocsfActivity: 10),
        "account.second_factor_removed": .init(.account, .update, ocsfActivity: 11),
        "account.second_factor_reset": .init(.account, .update, ocsfActivity: 11),
        "account.recovery_codes_made": .init(.account, .update),
        "password_link.created": .init(.account, .update, ocsfActivity: 4),
        "grant.secret_claimed": .init(.account, .update, ocsfActivity: 3),
        "grant.secret_regenerated": .init(.account, .update, ocsfActivity: 4),
        "grant.secret_ended": .init(.account, .update),
        "grant.keys_registered": .init(.account, .update, ocsfActivity: 3),
        "grant.keys_removed": .init(.account, .update),
        "grant.keys_fetched": .init(.account, .update, ocsfActivity: 3),

        "grant.created": .init(.access, .create), "grant.resumed": .init(.access, .enable),
        "grant.suspended": .init(.access, .disable), "grant.ended": .init(.access, .delete),
        "grant.killed": .init(.access, .delete),
        "authorization.approved": .init(.access, .create), "authorization.ended": .init(.access, .delete),
        "authorization.narrowed": .init(.access, .update),
    ]
}
