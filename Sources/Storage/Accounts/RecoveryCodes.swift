package import Domain
import Postgres
import Transparency

/// By what a second factor was proved.
package enum SecondFactorProof: String, Sendable, CaseIterable {
    /// A code of the authenticator app.
    case totp
    /// A code of those that were made for its loss.
    case recovery
}

extension OrganizationTransaction {
    /// Proves the second factor of a member by a code of their authenticator app, or by a recovery code. Either is taken
    /// for good. nil: it is none.
    func takeSecondFactor(_ typed: String, of user: UserID) async throws -> SecondFactorProof? {
        if typed.utf8.count == 6, typed.utf8.allSatisfy({ (48...57).contains($0) }) {
            return try await takeCode(typed, of: user) ? .totp : nil
        }
        guard let code = RecoveryCode(typed: typed) else { return nil }
        // Of two who present the same code one finds it unused.
        let taken = try await pipeline([
            "SELECT user_id FROM accounts WHERE user_id = \(user) AND totp_secret IS NOT NULL FOR UPDATE",
            """
            UPDATE recovery_codes r SET used_at = \(startedAt) FROM accounts a
            WHERE r.user_id = \(user) AND r.digest = ANY(\(store.keyring.digests(of: code, for: user)))
                AND r.used_at IS NULL AND (a.organization_id, a.user_id) = (r.organization_id, r.user_id)
                AND a.totp_secret IS NOT NULL
            RETURNING r.user_id
            """,
        ])
        return taken[1].isEmpty ? nil : .recovery
    }

    /// Codes of a member in place of those before. The account is locked by the transaction.
    func makeRecoveryCodes(of user: UserID) async throws -> [RecoveryCode] {
        let codes = (0..<RecoveryCode.count).map { _ in RecoveryCode.make(using: store.randomness) }
        let digests = codes.compactMap { store.keyring.digests(of: $0, for: user).first }
        _ = try await pipeline([
            .removingRecoveryCodes(of: user),
            """
            INSERT INTO recovery_codes (organization_id, user_id, digest, made_at)
            SELECT \(organization), \(user), d, \(startedAt) FROM unnest(\(digests)) AS d
            """,
        ])
        return codes
    }

    /// How many recovery codes of a member are unused.
    package func recoveryCodesLeft(of user: UserID) async throws -> Int {
        let rows = try await query(
            "SELECT count(*) AS unused FROM recovery_codes WHERE user_id = \(user) AND used_at IS NULL"
        )
        return Int(try rows.only().decode("unused", as: Int64.self))
    }
}

extension SQL {
    static func removingRecoveryCodes(of user: UserID) -> SQL {
        "DELETE FROM recovery_codes WHERE user_id = \(user)"
    }
}

/// Making recovery codes anew, proved by the second factor; those before are good no longer. nil: the code was wrong,
/// which has its entry.
package struct RecoveryCodesCreation: Change {
    private let code: String
    private let caller: SessionCaller
    private let attribution: Attribution

    /// `code` of the authenticator app, or one of the codes that are replaced.
    package init(code: String, by caller: SessionCaller, _ attribution: Attribution) {
        self.code = code
        self.caller = caller
        self.attribution = attribution
    }

    package static func make(
        _ changes: [RecoveryCodesCreation],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<[RecoveryCode]?>] {
        var made: [Made<[RecoveryCode]?>] = []
        for change in changes {
            let user = change.caller.user
            let isRight = try await transaction.takeSecondFactor(change.code, of: user) != nil
            let codes = isRight ? try await transaction.makeRecoveryCodes(of: user) : nil
            let draft = AuditDraft(
                .recoveryCodesMade,
                .user(user),
                outcome: isRight ? .done : .refused,
                reason: isRight ? nil : AccessRefusal.wrongCode.rawValue,
                person: change.caller.person
            )
            made.append(.done(codes, [Recorded(draft, by: change.attribution)]))
        }
        return made
    }
}
