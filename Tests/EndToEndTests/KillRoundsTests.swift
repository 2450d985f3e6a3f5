import Foundation
import Glibc
import Outbound
import Postgres
import Synchronization
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// Whatever is killed when, under load.
    @Suite struct KillRounds {
        /// Twenty unless `ROLLCALL_TEST_KILL_ROUNDS` says otherwise: `Tests/Faults/run` does a thousand.
        private static let rounds =
            ProcessInfo.processInfo.environment["ROLLCALL_TEST_KILL_ROUNDS"].flatMap { Int($0) } ?? 20
        /// Deliveries that have to be acknowledged between two kills, so that each strikes in the middle of work.
        private static let load = 25

        @Test func `rounds of kill -9 lose nothing and do nothing twice`() async throws {
            try await Development.with("kills") { development in
                let senders = Senders(to: development.sender(), port: development.port)
                try await withThrowingTaskGroup { group in
                    group.addTask { try await senders.run() }
                    for round in 0..<Self.rounds {
                        try await loaded(senders)
                        try await kill(round, development)
                        try await development.start()
                    }
                    try await loaded(senders)
                    senders.stop()
                    try await group.waitForAll()
                }
                let settled = try await development.settle()
                #expect(settled, "no event is pending, no delivery waits")
                try await expectDeliveries(senders.acknowledged, development)
                try await expectEvents(development)
                try await expectEntries(development)
            }
        }

        private func loaded(_ senders: Senders) async throws {
            let before = senders.acknowledged.count
            try await eventually(within: .seconds(240)) {
                if let fault = senders.fault { throw fault }
                return senders.acknowledged.count >= before + Self.load
            }
        }

        private func kill(_ round: Int, _ development: Development) async throws {
            switch round % 4 {
            case 0: try await development.end(SIGKILL)
            case 1:
                try await development.endPostgres(SIGKILL)
                // For a moment it serves without its database: 503, never a 4xx (Senders sees to that).
                try await Task.sleep(for: .milliseconds(200))
                try await development.end(SIGKILL)
            case 2:
                try await development.endPostgres(SIGQUIT)
                try await development.end(SIGTERM)
            default:
                _ = Glibc.kill(development.process, SIGKILL)
                try await development.endPostgres(SIGKILL)
                try await development.end(SIGKILL)
            }
        }

        private func expectDeliveries(_ acknowledged: [String: String], _ development: Development) async throws {
            let rows = try await development.rows(
                "SELECT headers #>> '{webhook-id,0}' AS message, id FROM deliveries"
            )
            var stored: [String: [String]] = [:]
            for row in rows {
                stored[try row.decode("message"), default: []]
                    .append(Development.typeID("dlv", try row.decode("id", as: UUID.self)))
            }
            let lost = acknowledged.filter { stored[$0.key] != [$0.value] }
            #expect(lost.isEmpty, "\(lost.count) of \(acknowledged.count) are not there exactly once")
            // What was not acknowledged was sent until it was.
            #expect(stored.count == acknowledged.count)
            #expect(acknowledged.count >= Self.load * (Self.rounds + 1), "the rounds were under load")
            print("KillRounds: \(acknowledged.count) deliveries over \(Self.rounds) rounds")
        }

        private func expectEvents(_ development: Development) async throws {
            let fates = try await development.texts(
                "SELECT status || ' ' || coalesce(reason, '') AS t FROM events WHERE status <> 'applied'"
            )
            // A person's next event is sent when the last is acknowledged: none is older than what was applied.
            #expect(fates.isEmpty)
            let unequal = try await development.number(
                """
                SELECT count(*) AS n FROM deliveries d
                WHERE (SELECT count(*) FROM events e WHERE e.delivery_id = d.id) <> 1 OR d.status <> 'mapped'
                """
            )
            #expect(unequal == 0, "each delivery has its one event")
            let lanes = try await development.number(
                """
                SELECT count(*) AS n FROM lanes l
                LEFT JOIN LATERAL (SELECT position_at, sequence, ordinal FROM events e
                    WHERE (e.source_id, e.external_id) = (l.source_id, l.external_id)
                    ORDER BY position_at DESC, sequence DESC, ordinal DESC LIMIT 1) AS e ON true
                WHERE ready_at IS NOT NULL OR reevaluate OR (applied_at, applied_sequence, applied_ordinal)
                    IS DISTINCT FROM (e.position_at, e.sequence, e.ordinal)
                """
            )
            #expect(lanes == 0, "each lane stands at its last event and waits for nothing")
        }

        /// Each change has one entry, and each entry that tells of a change has its row.
        private func expectEntries(_ development: Development) async throws {
            let leaf: SQL = "(SELECT convert_from(leaf, 'UTF8')::jsonb AS l, action, target_id FROM audit_entries) AS e"
            let questions: [(String, SQL)] = [
                ("delivery.accepted", "SELECT id FROM deliveries"),
                ("person.created", "SELECT id FROM people"),
                ("user.created", "SELECT id FROM users WHERE person_id IS NOT NULL"),
                ("user.deactivated", "SELECT id FROM users WHERE status = 'deactivated'"),
                ("grant.created", "SELECT id FROM grants"),
                ("grant.ended", "SELECT id FROM grants WHERE status = 'ended'"),
                ("person.ended", "SELECT id FROM people WHERE status = 'left'"),
            ]
            for (action, rows) in questions {
                let wrong = try await development.number(
                    "SELECT count(*) AS n FROM (SELECT r.id, count(e.target_id) AS c FROM (" + rows
                        + ") AS r FULL JOIN "
                        + "(SELECT target_id FROM audit_entries WHERE action = \(action) AND "
                        + "(action <> 'user.created' OR person_id IS NOT NULL)) AS e ON e.target_id = r.id "
                        + "GROUP BY r.id, e.target_id) AS s WHERE id IS NULL OR c <> 1"
                )
                #expect(wrong == 0, "\(action) and its rows do not match one to one")
            }
            let changed = try await development.number(
                """
                SELECT count(*) AS n FROM people p WHERE version - 1 <> (SELECT count(*) FROM audit_entries e
                    WHERE e.target_id = p.id AND e.action IN ('person.updated', 'person.ended', 'person.returned'))
                """
            )
            #expect(changed == 0, "each change of a person has its entry")
            let twice = try await development.number(
                "SELECT count(*) AS n FROM (SELECT FROM " + leaf
                    + " WHERE l ->> 'source_event' IS NOT NULL GROUP BY l ->> 'source_event', action, target_id "
                    + "HAVING count(*) > 1) AS s"
            )
            #expect(twice == 0, "no event did the same to the same thing twice")
            let told = try await development.number(
                "SELECT count(DISTINCT l ->> 'source_event') AS n FROM " + leaf
            )
            #expect(try await development.number("SELECT count(*) AS n FROM events") == told)
            let unpaired = try await development.number(
                """
                SELECT count(*) AS n FROM audit_entries e FULL JOIN (
                    SELECT entry_id FROM audit_pending UNION ALL SELECT entry_id FROM audit_index) AS p
                    ON p.entry_id = e.id
                WHERE e.id IS NULL OR p.entry_id IS NULL
                """
            )
            #expect(unpaired == 0, "every leaf has its index, or waits for it, once")
            let indexed = try await development.number("SELECT count(*) AS n FROM audit_index")
            let distinct = try await development.number(
                "SELECT count(DISTINCT entry_id) AS n FROM audit_index"
            )
            #expect(indexed == distinct, "no entry has two indexes")
            let sizes = try await development.number(
                """
                SELECT count(*) AS n FROM audit_logs l WHERE halted IS NOT NULL OR size <> (
                    SELECT count(*) FROM audit_index i WHERE i.organization_id = l.organization_id
                        AND i.leaf_index < l.size) + (
                    SELECT count(*) FROM root_leaves r WHERE r.organization_id = l.organization_id
                        AND r.leaf_index < l.size)
                """
            )
            #expect(sizes == 0, "every log is without a gap, and none is halted")
        }
    }

    /// HR systems that post on while the other side goes and comes: again, with the same id, until it is acknowledged.
    final class Senders: Sendable {
        private static let concurrency = 6
        private static let patience = Duration.seconds(240)

        private let sender: Sender
        private let state = Mutex(State())

        private struct State {
            var isStopped = false
            /// What ended a sender; whoever waits for deliveries would wait in vain.
            var fault: (any Error)?
            var acknowledged: [String: String] = [:]
        }

        struct Refused: Error {
            let status: Int
            let body: String
        }
        struct Abandoned: Error { let last: String }

        init(to sender: Sender, port: Int) { self.sender = sender }

        /// Signed id to the id of the delivery.
        var acknowledged: [String: String] { state.withLock { $0.acknowledged } }

        var fault: (any Error)? { state.withLock { $0.fault } }

        func stop() { state.withLock { $0.isStopped = true } }
        private var isStopped: Bool { state.withLock { $0.isStopped } }

        func run() async throws {
            try await withThrowingTaskGroup { group in
                for lane in 0..<Self.concurrency {
                    group.addTask {
                        do { try await self.work(lane) } catch {
                            self.state.withLock { $0.fault = $0.fault ?? error }
                            throw error
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        /// Persons one after the other, the events of each in their order.
        private func work(_ lane: Int) async throws {
            var number = 0
            while !isStopped {
                number += 1
                let id = "k-\(lane)-\(number)"
                let name = "\(id)@acme.example"
                try await deliver(
                    Sender.event("joiner", id, userName: name, department: number % 2 == 0 ? "Finance" : "Sales")
                )
                if number % 3 == 0 {
                    try await deliver(Sender.event("mover", id, userName: name, department: "Finance"))
                }
                if number % 4 == 0 { try await deliver(Sender.event("leaver", id)) }
            }
        }

        private func deliver(_ event: JSON) async throws {
            let id = Sender.newID()
            let deadline = ContinuousClock.now + Self.patience
            var last = ""
            while ContinuousClock.now < deadline {
                do {
                    let answer = try await sender.post(event, id: id)
                    if answer.status == 202, let delivery = answer.json["delivery"]?.string {
                        return state.withLock { $0.acknowledged[id] = delivery }
                    }
                    guard answer.status == 503 else { throw Refused(status: answer.status, body: answer.text) }
                    last = answer.text
                } catch let error as OutboundError {
                    // No connection, or one that broke: nothing is known, so it is sent again.
                    last = "\(error)"
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            throw Abandoned(last: last)
        }
    }
}
