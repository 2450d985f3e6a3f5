import Postgres

/// Why a change was not made, for the caller who asked for it. Holds nothing of what was sent. It has no entry of its own:
/// the door records it with what it knows of the request.
package enum ChangeRefusal: Error, Sendable, Hashable {
    /// The organization has no such thing, whoever else may have it.
    case notFound
    /// It contradicts what is there: a name that is taken, a state that does not allow it.
    case conflict(String)
    /// It is no longer the version that the caller has seen.
    case stale
    /// Well-formed, and these members are not acceptable.
    case invalid([Reason])
    /// It wants a second look: to be sent again with this value.
    case confirmationRequired(value: String, detail: String)
    /// The same `Idempotency-Key` came with another request.
    case idempotencyKeyReused
    /// The first answer to this `Idempotency-Key` showed a secret, and is not kept.
    case answerNotKept

    /// A member that is not acceptable.
    package struct Reason: Sendable, Hashable {
        /// RFC 6901, into the request's body.
        package let pointer: String
        package let detail: String

        package init(_ pointer: String, _ detail: String) {
            self.pointer = pointer
            self.detail = detail
        }
    }

    /// One reason, by JSON pointer into what the caller sent. Neither text holds a value of it.
    package static func invalid(_ pointer: String, _ detail: String) -> ChangeRefusal {
        .invalid([Reason(pointer, detail)])
    }

    /// What a violated constraint means to whom asked for the change; nil for one that only a fault of ours violates.
    init?(violated error: PostgresError) {
        switch error.constraint {
        case "workspaces_slug_unique", "sources_slug_unique", "integrations_slug_unique":
            self = .conflict("This slug is taken.")
        case "users_username_unique":
            self = .conflict("An active user has this username.")
        case "audit_queries_name_unique":
            self = .conflict("There is a saved query of this name.")
        case "scopes_pkey":
            self = .conflict("There is a scope of this name.")
        case "grants_workspace", "integrations_workspace", "tokens_workspace":
            self = .conflict("Something is, or was, attributed to this workspace.")
        case "approvals_second_admin":
            self = .conflict("Who asked may not agree.")
        default:
            return nil
        }
    }
}

/// A change that is made by itself, whoever else brings one at the same moment: those of admins, which are few.
package protocol SingleChange: Change {
    /// Makes it and tells its entries. Throws ``ChangeRefusal`` where it may not be made; a throw undoes everything.
    func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded])
}

extension SingleChange {
    /// One after another; a throw undoes all, and each is then made alone.
    package static func make(
        _ changes: [Self],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Output>] {
        var made: [Made<Output>] = []
        for change in changes {
            let (output, recorded) = try await change.make(in: transaction)
            made.append(.done(output, recorded))
        }
        return made
    }
}
