package import Domain
import Postgres
import Transparency

/// Making a secret for an authenticator app, which waits until a code of it is proved. Making another replaces it.
package struct SecondFactorProposal: SingleChange {
    package typealias Output = TimeCode

    private let caller: SessionCaller

    package init(by caller: SessionCaller) {
        self.caller = caller
    }

    /// Refused where there is a second factor already: it is removed first, with a code of it. No entry: nothing is
    /// asked for yet.
    package func make(in transaction: OrganizationTransaction) async throws -> (TimeCode, [Recorded]) {
        let store = transaction.store
        let place = SealedPlace.secondFactor(of: caller.user, in: transaction.organization)
        let rows = try await transaction.query(
            "SELECT totp_secret IS NOT NULL AS confirmed, totp_pending FROM accounts WHERE user_id = \(caller.user) FOR UPDATE"
        )
        guard let row = rows.first else { throw ChangeRefusal.notFound }
        guard try !row.decode("confirmed", as: Bool.self) else {
            throw ChangeRefusal.conflict("This account has a second factor already.")
        }
        if let pending = try row.decode("totp_pending", as: [UInt8]?.self) {
            return (TimeCode(secret: try store.keyring.open(pending, for: place)), [])
        }
        let secret = store.randomness.bytes(TimeCode.secretBytes)
        let sealed = try store.keyring.seal(secret, for: place, using: store.randomness)
        _ = try await transaction.query("UPDATE accounts SET totp_pending = \(sealed) WHERE user_id = \(caller.user)")
        return (TimeCode(secret: secret), [])
    }
}

/// Taking the waiting secret as the second factor, once a code of it is right. The account's other sessions end: they were
/// proved by less. Returns recovery codes, shown this once. nil: the code was wrong, which has its entry.
package struct SecondFactorConfirmation: Change {
    private let code: String
    private let caller: SessionCaller
    private let attribution: Attribution

    package init(code: String, by caller: SessionCaller, _ attribution: Attribution) {
        self.code = code
        self.caller = caller
        self.attribution = attribution
    }

    package static func make(
        _ changes: [SecondFactorConfirmation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<[RecoveryCode]?>] {
        var made: [Made<[RecoveryCode]?>] = []
        for change in changes { made.append(try await change.make(in: transaction)) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> Made<[RecoveryCode]?> {
        let store = transaction.store
        let rows = try await transaction.query(
            "SELECT totp_pending FROM accounts WHERE user_id = \(caller.user) AND totp_secret IS NULL FOR UPDATE"
        )
        guard let pending = try rows.first?.decode("totp_pending", as: [UInt8]?.self) else {
            throw ChangeRefusal.notFound
        }
        let place = SealedPlace.secondFactor(of: caller.user, in: transaction.organization)
        let secret = TimeCode(secret: try store.keyring.open(pending, for: place))
        guard let step = secret.step(of: code, at: store.clock.now(), after: nil) else {
            let draft = AuditDraft(
                .secondFactorAdded,
                .user(caller.user),
                outcome: .refused,
                reason: AccessRefusal.wrongCode.rawValue,
                person: caller.person
            )
            return .done(nil, [Recorded(draft, by: attribution)])
        }
        _ = try await transaction.pipeline([
            """
            UPDATE accounts SET totp_secret = totp_pending, totp_pending = NULL, totp_last_step = \(step),
                totp_confirmed_at = \(transaction.startedAt)
            WHERE user_id = \(caller.user)
            """,
            "UPDATE sessions SET second_factor = 'totp' WHERE id = \(caller.session)",
        ])
        let codes = try await transaction.makeRecoveryCodes(of: caller.user)
        let drafts =
            [AuditDraft(.secondFactorAdded, .user(caller.user), person: caller.person)]
            + (try await transaction.endSessions(of: caller.user, but: caller.session))
        return .done(codes, drafts.map { Recorded($0, by: attribution) })
    }
}

/// Removing one's own second factor, with a code of it or a recovery code. False: the code was wrong, which has its entry.
package struct SecondFactorRemoval: Change {
    private let code: String
    private let caller: SessionCaller
    private let attribution: Attribution

    package init(code: String, by caller: SessionCaller, _ attribution: Attribution) {
        self.code = code
        self.caller = caller
        self.attribution = attribution
    }

    package static func make(
        _ changes: [SecondFactorRemoval],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Bool>] {
        var made: [Made<Bool>] = []
        for change in changes {
            let isRight = try await transaction.takeSecondFactor(change.code, of: change.caller.user) != nil
            if isRight {
                _ = try await transaction.pipeline([
                    """
                    UPDATE accounts SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL
                    WHERE user_id = \(change.caller.user)
                    """,
                    .removingRecoveryCodes(of: change.caller.user),
                ])
            }
            let draft = AuditDraft(
                .secondFactorRemoved,
                .user(change.caller.user),
                outcome: isRight ? .done : .refused,
                reason: isRight ? nil : AccessRefusal.wrongCode.rawValue,
                person: change.caller.person
            )
            made.append(.done(isRight, [Recorded(draft, by: change.attribution)]))
        }
        return made
    }
}
