package import Domain
import Postgres
package import Transparency

/// Whose retry of what: an `Idempotency-Key` with the request that it came with.
package struct IdempotencyClaim: Sendable, Hashable {
    package let key: String
    package let user: UserID
    /// What the request asked for.
    package let operation: String
    /// Equal for equal requests.
    package let fingerprint: [UInt8]

    package init(key: String, user: UserID, operation: String, fingerprint: [UInt8]) {
        self.key = key
        self.user = user
        self.operation = operation
        self.fingerprint = fingerprint
    }

    /// How long an answer is kept.
    package static let lifetime = Duration.seconds(24 * 3600)
}

/// What is answered to a request that made something.
package struct Answered: Sendable {
    package let body: JSON.Object
    /// Whether it was made by an earlier request with the same key; nothing changed then.
    package let isReplay: Bool
}

extension Store {
    /// Makes a change once for each claim, in one transaction with the answer that is kept for its retries. Without a
    /// claim it is made each time. An answer that shows a secret is not kept; its retry is refused with
    /// ``ChangeRefusal/answerNotKept``. Refusals are not kept: a retry may succeed.
    package func perform<C: Change>(
        _ change: C,
        in organization: OrganizationID,
        onceFor claim: IdempotencyClaim?,
        showsSecret: Bool,
        answer: @escaping @Sendable (C.Output) -> JSON.Object
    ) async throws -> Answered {
        let change = IdempotentChange(change: change, claim: claim, showsSecret: showsSecret, answer: answer)
        return try await perform(change, in: organization)
    }
}

private struct IdempotentChange<C: Change>: Change {
    let change: C
    let claim: IdempotencyClaim?
    let showsSecret: Bool
    let answer: @Sendable (C.Output) -> JSON.Object

    static func make(
        _ changes: [IdempotentChange<C>],
        in transaction: OrganizationTransaction
    ) async throws -> [Made<Answered>] {
        var made: [Made<Answered>] = []
        for change in changes { made += try await change.make(in: transaction) }
        return made
    }

    private func make(in transaction: OrganizationTransaction) async throws -> [Made<Answered>] {
        if let claim, let kept = try await claim.keptAnswer(in: transaction) {
            return [.done(Answered(body: kept, isReplay: true), [])]
        }
        var made: [Made<Answered>] = []
        for one in try await C.make([change], in: transaction) {
            switch one {
            case .refused(let error, let recorded):
                made.append(.refused(error, recorded))
            case .done(let output, let recorded):
                let body = answer(output)
                try await claim?.keep(showsSecret ? nil : body, in: transaction)
                made.append(.done(Answered(body: body, isReplay: false), recorded))
            }
        }
        return made
    }
}

extension IdempotencyClaim {
    /// Answers that made something are 201 all.
    private static let status: Int32 = 201

    fileprivate func keptAnswer(in transaction: OrganizationTransaction) async throws -> JSON.Object? {
        // The same request twice at once: one waits here for the other, and finds its answer. At the unique constraint
        // they would not meet, because what they make may collide before.
        let lock = "\(transaction.organization) \(user) \(key)"
        let results = try await transaction.pipeline([
            "SELECT pg_advisory_xact_lock(hashtextextended(\(lock), 0))",
            """
            DELETE FROM idempotency_keys
            WHERE user_id = \(user) AND key = \(key) AND created_at < \(transaction.startedAt - Self.lifetime)
            """,
            "SELECT request_digest, answer FROM idempotency_keys WHERE user_id = \(user) AND key = \(key)",
        ])
        guard let row = results[2].first else { return nil }
        guard try row.decode("request_digest", as: [UInt8].self) == fingerprint else {
            throw ChangeRefusal.idempotencyKeyReused
        }
        guard let answer = try row.decode("answer", as: [UInt8]?.self) else { throw ChangeRefusal.answerNotKept }
        guard let body = try JSON.parse(answer).object else {
            throw ImpossibleRows(description: "idempotency_keys holds an answer that is no object")
        }
        return body
    }

    fileprivate func keep(_ answer: JSON.Object?, in transaction: OrganizationTransaction) async throws {
        _ = try await transaction.query(
            """
            INSERT INTO idempotency_keys (organization_id, user_id, key, operation, request_digest, answer_status, answer,
                created_at)
            VALUES (\(transaction.organization), \(user), \(key), \(operation), \(fingerprint), \(Self.status),
                \(answer.map { JSON.object($0).bytes } as [UInt8]?), \(transaction.startedAt))
            """
        )
    }
}
