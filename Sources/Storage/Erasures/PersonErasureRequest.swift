package import Domain
import Postgres
import Transparency

/// Erasing a person, or, where the organization wants a second admin for it, asking for one. Nobody can take it back:
/// whoever asks sends the person's id as a confirmation.
package struct PersonErasureRequest: SingleChange {
    package typealias Output = Settled<ErasureView>

    private let erasure: PersonErasure
    private let caller: UserID
    private let confirmation: String?
    private let attribution: Attribution

    /// `confirmation` is the person's id, sent back by whoever means it.
    package init(of person: PersonID, by caller: Caller, confirmation: String?, _ attribution: Attribution) {
        erasure = PersonErasure(of: person, by: caller, attribution)
        self.caller = caller.user
        self.confirmation = confirmation
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (Output, [Recorded]) {
        let settings = try await transaction.settings(lock: "FOR NO KEY UPDATE")
        let person = try await KnownPerson(erasure.id, lockedIn: transaction)
        guard !person.isErased else {
            let (done, recorded) = try await erasure.make(in: transaction)
            return (.done(done), recorded)
        }
        guard confirmation == erasure.id.description else {
            throw ChangeRefusal.confirmationRequired(
                value: erasure.id.description,
                detail: "What is known of the person is destroyed, and nobody can bring it back."
            )
        }
        guard settings.approvals.contains(.personErasure) else {
            let (done, recorded) = try await erasure.make(in: transaction)
            return (.done(done), recorded)
        }
        if let obstacle = try await person.obstacle(in: transaction) { throw obstacle.refusal }
        let (view, recorded) = try await transaction.requestApproval(
            .personErasure,
            of: IDBits(high: erasure.id.high, low: erasure.id.low),
            request: ["person": .string(erasure.id.description)],
            by: caller,
            attribution
        )
        return (.waits(view), [recorded])
    }
}

/// Erasures that waited for the end of a hold. What is in the way of one now is written to it, and it is tried again a day
/// later, or at the end of the next hold.
package struct QueuedErasures: ClaimedWork {
    package init() {}

    /// How long one waits that something else than a hold stopped.
    static let pause = Duration.seconds(86_400)

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<PersonID>? {
        try await transaction.claim("SELECT organization_id, id FROM next_queued_erasures(\(Int32(most)))")
    }

    package func make(_ items: [PersonID], in transaction: OrganizationTransaction) async throws -> [Recorded] {
        var recorded: [Recorded] = []
        for item in items {
            recorded += try await PersonErasure(queued: item, at: transaction.startedAt).make(in: transaction).1
        }
        return recorded
    }

    package func recordFailure(
        of item: PersonID,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        let obstacle = error as? ErasureObstacle
        _ = try await transaction.query(
            """
            UPDATE erasures SET reason = coalesce(\(obstacle?.rawValue), reason),
                due_at = \(transaction.startedAt + Self.pause)
            WHERE person_id = \(item) AND status = 'queued'
            """
        )
        return []
    }
}
