package import Domain
import Logging
import Postgres

// Invariants of every write:
// - A change and its entries are one transaction: neither is ever there without the other.
// - A change that is refused or fails takes nothing with it: the others of its batch still commit.
// - A fault of ours (a lost connection, a full pool) is thrown, never turned into a refusal of the caller.

extension Store {
    /// Makes changes of one organization and commits them together with their entries. A result is a failure when the
    /// change was refused (its refusal is recorded) or when making it alone failed too. Throws only for faults that
    /// concern all of them; whether a commit that was under way happened is then unknown.
    package func perform<C: Change>(
        _ changes: [C],
        in organization: OrganizationID
    ) async throws -> [Result<C.Output, any Error>] {
        do {
            return try await commit(changes, in: organization)
        } catch let error as PostgresError where error.isTransient {
            throw error
        } catch  where changes.count > 1 {
            return try await eachAlone(changes, in: organization)
        } catch let error as PostgresError {
            return [.failure(ChangeRefusal(violated: error) ?? error)]
        } catch {
            return [.failure(error)]
        }
    }

    /// Makes one change.
    package func perform<C: Change>(_ change: C, in organization: OrganizationID) async throws -> C.Output {
        let results = try await perform([change], in: organization)
        guard let result = results.first else { throw ImpossibleRows(description: "a change without a result") }
        return try result.get()
    }

    private func eachAlone<C: Change>(
        _ changes: [C],
        in organization: OrganizationID
    ) async throws -> [Result<C.Output, any Error>] {
        var results: [Result<C.Output, any Error>] = []
        for change in changes { results += try await perform([change], in: organization) }
        return results
    }

    private func commit<C: Change>(
        _ changes: [C],
        in organization: OrganizationID
    ) async throws -> [Result<C.Output, any Error>] {
        try await transaction { transaction, narrowing in
            let transaction = try await OrganizationTransaction(
                transaction,
                organization,
                self,
                narrowing,
                opening: C.opening(changes, in: organization)
            )
            let made = try await C.make(changes, in: transaction)
            try await transaction.record(made.flatMap(\.recorded))
            return made.map(\.result)
        }
    }

    /// Makes up to `most` claimed changes. Returns how many were claimed; 0 means that there is nothing to do.
    ///
    /// When making them together fails, they are claimed and made one by one, and what fails alone is recorded as
    /// failed. A fault of ours is thrown and counts against no item.
    package func performNext<W: ClaimedWork>(_ work: W, most: Int) async throws -> Int {
        do {
            return try await commitNext(work, most: most)
        } catch let failure as ClaimedFailure<W.Item> {
            if let fault = failure.error as? PostgresError, fault.isTransient { throw fault }
            guard failure.claimed.items.count > 1 else {
                try await recordFailure(of: failure, in: work)
                return 1
            }
            var done = 0
            for _ in failure.claimed.items { done += try await performNext(work, most: 1) }
            return done
        }
    }

    private func commitNext<W: ClaimedWork>(_ work: W, most: Int) async throws -> Int {
        var claimed: Claimed<W.Item>?
        do {
            try await transaction { transaction, narrowing in
                claimed = try await work.claim(most, in: ClaimTransaction(transaction))
                guard let claimed else { return }
                let scoped = try await OrganizationTransaction(transaction, claimed.organization, self, narrowing)
                try await scoped.record(try await work.make(claimed.items, in: scoped))
            }
        } catch {
            guard let claimed else { throw error }
            throw ClaimedFailure(claimed: claimed, error: error)
        }
        return claimed?.items.count ?? 0
    }

    private func recordFailure<W: ClaimedWork>(of failure: ClaimedFailure<W.Item>, in work: W) async throws {
        guard let item = failure.claimed.items.first else { return }
        logger.warning("claimed work failed", metadata: ["error": "\(failure.error)"])
        try await transaction { transaction, narrowing in
            let scoped = try await OrganizationTransaction(transaction, failure.claimed.organization, self, narrowing)
            try await scoped.record(try await work.recordFailure(of: item, because: failure.error, in: scoped))
        }
    }
}

/// The part of a transaction before it names its organization: it may only call the crossings.
package struct ClaimTransaction {
    private let transaction: PostgresTransaction

    init(_ transaction: PostgresTransaction) { self.transaction = transaction }

    func query(_ sql: SQL) async throws -> PostgresRows { try await transaction.query(sql) }

    /// What a crossing hands out as `organization_id` and `id`, all of one organization; nil where it has nothing.
    func claim<Kind>(_ crossing: SQL) async throws -> Claimed<ID<Kind>>? {
        let rows = try await query(crossing)
        guard let first = rows.first else { return nil }
        return Claimed(
            organization: try first.decode("organization_id"),
            items: try rows.map { try $0.decode("id") }
        )
    }
}

private struct ClaimedFailure<Item: Sendable>: Error {
    let claimed: Claimed<Item>
    let error: any Error
}

extension Made {
    var recorded: [Recorded] {
        switch self {
        case .done(_, let recorded), .refused(_, let recorded): recorded
        }
    }

    var result: Result<Output, any Error> {
        switch self {
        case .done(let output, _): .success(output)
        case .refused(let error, _): .failure(error)
        }
    }
}
