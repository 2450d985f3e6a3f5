package import Domain
import Postgres

/// Applies the next due event of each claimed person: the second half of what a worker does.
///
/// Invariants:
/// - A person's lane row is locked while one of their events is planned and applied, so events of a person apply one
///   after the other, on any number of workers and nodes, and different persons in parallel.
/// - The next event is the oldest due one that no failing older one holds back; one that ends access is held back by
///   none.
/// - What a plan changes, its entries, the event's settlement and the lane's position are one transaction.
/// - No event of a paused source is applied. Its persons' access is computed anew when an integration changes, all the
///   same: what an admin takes away does not wait for a source.
package struct EventApplication: ClaimedWork {
    package init() {}

    /// A person of a source.
    package struct Lane: Sendable, Hashable, Comparable {
        package let source: SourceID
        package let externalID: String

        package static func < (one: Lane, other: Lane) -> Bool {
            (one.source, one.externalID) < (other.source, other.externalID)
        }
    }

    package func claim(_ most: Int, in transaction: ClaimTransaction) async throws -> Claimed<Lane>? {
        let rows = try await transaction.query(
            """
            SELECT organization_id, source_id, external_id
            FROM next_lanes(clock_timestamp(), \(Int32(most)))
            """
        )
        guard let first = rows.first else { return nil }
        return Claimed(
            organization: try first.decode("organization_id"),
            items: try rows.map { Lane(source: try $0.decode("source_id"), externalID: try $0.decode("external_id")) }
        )
    }

    package func make(_ items: [Lane], in transaction: OrganizationTransaction) async throws -> [Recorded] {
        let world = try await ProvisioningWorld.load(items, in: transaction)
        let planner = Planner(
            integrations: world.integrations,
            now: transaction.startedAt,
            using: transaction.store.randomness
        )
        var application = PlanWriter(
            at: transaction.startedAt,
            in: transaction.organization,
            integrations: world.integrations
        )
        for lane in items {
            guard let state = world.states[lane] else { continue }
            if let event = world.events[lane] {
                settle(event, of: lane, on: state, with: planner, in: &application)
            } else if world.reevaluated.contains(lane), let attribution = world.attributions[lane.source] {
                application.add(planner.reevaluate(state), of: lane, by: attribution, occurredAt: nil)
            }
        }
        transaction.narrow(application.narrowed)
        let statements = application.statements
        let supersede = [application.supersede].compactMap(\.self)
        let endLinks = [application.endClaimLinks].compactMap(\.self)
        let endAuthorizations = [application.endAuthorizations].compactMap(\.self)
        let advance = Self.advance(items, at: transaction.startedAt, reevaluated: world.lanesWithoutEvent(items))
        let results = try await transaction.pipeline(statements + supersede + endLinks + endAuthorizations + [advance])
        if !supersede.isEmpty {
            for row in results[statements.count] { try application.recordSuperseded(row) }
        }
        if !endLinks.isEmpty {
            for row in results[statements.count + supersede.count] { try application.recordEndedLink(row) }
        }
        if !endAuthorizations.isEmpty {
            let place = statements.count + supersede.count + endLinks.count
            for row in results[place] { try application.recordEndedAuthorization(row) }
        }
        return application.recorded
    }

    private func settle(
        _ event: DueEvent,
        of lane: Lane,
        on state: PersonState,
        with planner: Planner,
        in application: inout PlanWriter
    ) {
        do {
            let plan = try planner.plan(event.canonical, at: event.position, on: state)
            application.add(plan, of: lane, by: event.attribution, occurredAt: event.canonical.occurredAt)
            application.settle(
                event,
                as: plan.settlement,
                of: lane,
                at: state.lane.applied,
                supersedes: plan.supersedesScheduledLeavers
            )
        } catch {
            application.bury(event, because: error.description)
        }
    }

    /// What a unique name taken by somebody else, or a lost race, does to one event: it is tried later, and after the
    /// last try it is dead, visibly, and holds back nothing.
    package func recordFailure(
        of item: Lane,
        because error: any Error,
        in transaction: OrganizationTransaction
    ) async throws -> [Recorded] {
        let event: DueEvent?
        do {
            event = try await ProvisioningWorld.load([item], in: transaction).events[item]
        } catch let error as PostgresError where error.isTransient {
            throw error
        } catch {
            // Rows that cannot be read hold up nobody but their own person.
            event = nil
        }
        guard let event else {
            // A re-evaluation has no event to blame either; the lane waits before it is tried again, but no longer than
            // an event of it does: a leaver's day may come before.
            let pauseEnds = transaction.startedAt + RetryPolicy.longestPause
            _ = try await transaction.query(
                """
                UPDATE lanes l SET ready_at = least(\(pauseEnds), (\(Self.nextDue)))
                WHERE l.source_id = \(item.source) AND l.external_id = \(item.externalID)
                """
            )
            return []
        }
        let failures = event.attempts + 1
        let reason = EventFailure.describe(error)
        let next = RetryPolicy.nextTry(after: failures, at: transaction.startedAt, using: transaction.store.randomness)
        _ = try await transaction.pipeline([
            Self.fail(event, failures: failures, reason: reason, next: next, at: transaction.startedAt),
            Self.advance([item], at: transaction.startedAt, reevaluated: []),
        ])
        guard next == nil else { return [] }
        let draft = AuditDraft(.eventDead, .event(event.id), reason: reason, occurredAt: event.canonical.occurredAt)
        return [Recorded(draft, by: event.attribution)]
    }

    private static func fail(
        _ event: DueEvent,
        failures: Int,
        reason: String,
        next: Timestamp?,
        at now: Timestamp
    ) -> SQL {
        """
        UPDATE events SET attempts = \(Int32(failures)), reason = \(reason),
            status = \(next == nil ? "dead" : "pending"), due_at = \(next ?? now),
            settled_at = \((next == nil ? now : nil) as Timestamp?)
        WHERE id = \(event.id) AND status = 'pending'
        """
    }

    /// When the next event of the lane `l` may be applied. It waits for a failing older one of its person, unless it ends
    /// access. Lanes of a paused source sleep until it is resumed (``SourceUpdate``).
    private static let nextDue: SQL = """
        SELECT min(greatest(e.due_at, CASE WHEN e.kind IN ('leaver', 'revoke-now', 'deleted') THEN e.due_at ELSE (
            SELECT max(f.due_at) FROM events f
            WHERE f.source_id = e.source_id AND f.external_id = e.external_id AND f.status = 'pending'
                AND f.attempts > 0
                AND (f.position_at, f.sequence, f.ordinal) < (e.position_at, e.sequence, e.ordinal)) END))
        FROM events e
        WHERE e.source_id = l.source_id AND e.external_id = l.external_id AND e.status = 'pending'
            AND NOT EXISTS (SELECT FROM sources s WHERE s.id = l.source_id AND s.status = 'paused')
        """

    /// When each lane has something to do next. A re-evaluation that was asked for stays asked for until it is made: not
    /// every event makes one.
    private static func advance(_ lanes: [Lane], at now: Timestamp, reevaluated: [Lane]) -> SQL {
        let done = Set(reevaluated)
        return """
            UPDATE lanes l SET reevaluate = l.reevaluate AND NOT w.reevaluated,
                ready_at = CASE WHEN l.reevaluate AND NOT w.reevaluated THEN \(now) ELSE (\(Self.nextDue)) END
            FROM unnest(\(lanes.map(\.source)), \(lanes.map(\.externalID)), \(lanes.map(done.contains)))
                AS w(source_id, external_id, reevaluated)
            WHERE l.source_id = w.source_id AND l.external_id = w.external_id
            """
    }
}

/// What is said of a failing event to the people who look at it.
enum EventFailure {
    static func describe(_ error: any Error) -> String {
        guard case .server(let failure)? = error as? PostgresError else { return "\(type(of: error))" }
        switch failure.constraint {
        case "users_username_unique": return "another active user has that user name"
        case .some(let constraint): return "refused by \(constraint)"
        case nil: return "refused by the database (\(failure.sqlState))"
        }
    }
}
