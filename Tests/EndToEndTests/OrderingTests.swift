import Domain
import Foundation
import Glibc
import HTTPTypes
import Postgres
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// Events of one person in their order, whatever way they come.
    @Suite struct Ordering {
        @Test func `what comes late and says older things is stale`() async throws {
            try await Development.with("order") { development in
                let sender = development.sender()
                let start = Sender.now
                func post(_ kind: String, _ second: Int64, department: String? = nil) async throws -> JSON {
                    let event = Sender.event(
                        kind,
                        "o-1",
                        userName: kind == "leaver" ? nil : "o-1@acme.example",
                        department: department,
                        occurredAt: start + .seconds(second)
                    )
                    return try await settled(try await sender.post(event), development)
                }
                #expect(try await post("joiner", 1, department: "Sales")["status"]?.string == "applied")
                #expect(try await post("mover", 30, department: "Finance")["status"]?.string == "applied")
                let late = try await post("mover", 20, department: "Legal")
                #expect(late["status"]?.string == "stale", "it says so")
                let stale = try await development.auditor().get("/v1/audit/entries?target=\(late["id"]?.string ?? "")")
                #expect(stale.items.contains { $0["action"]?.string == "event.settled" })
                #expect(try await person("o-1", development)["department"] == "Finance")

                #expect(try await post("leaver", 40)["status"]?.string == "applied")
                let older = try await post("joiner", 35, department: "Finance")
                #expect(older["status"]?.string == "stale", "a joiner older than the leaver gives nothing back")
                #expect(try await person("o-1", development)["status"] == "left")
                let active = try await development.number(
                    "SELECT count(*) AS n FROM users WHERE person_id IS NOT NULL AND status = 'active'"
                )
                #expect(active == 0)
            }
        }

        @Test func `a leaver before its joiner leaves no access behind`() async throws {
            try await Development.with("leaverfirst") { development in
                let start = Sender.now
                let leaver = Sender.event("leaver", "o-2", occurredAt: start + .seconds(20))
                let joiner = Sender.event(
                    "joiner",
                    "o-2",
                    userName: "o-2@acme.example",
                    department: "Finance",
                    occurredAt: start + .seconds(10)
                )
                let first = try await settled(try await development.sender().post(leaver), development)
                #expect(first["status"]?.string == "ignored" && first["reason"]?.string != nil, "nobody is known yet")
                let second = try await settled(try await development.sender().post(joiner), development)
                #expect(second["status"]?.string == "stale")
                #expect(
                    try await development.number("SELECT count(*) AS n FROM users WHERE person_id IS NOT NULL") == 0
                )
            }
        }

        @Test func `a failing event is tried again, then dead, and holds up nobody but its own person`() async throws {
            try await Development.with("failing") { development in
                let sender = development.sender()
                func join(_ person: String, _ name: String) async throws -> Answer {
                    try await sender.post(Sender.event("joiner", person, userName: name, department: "Finance"))
                }
                _ = try await settled(try await join("f-1", "taken@acme.example"), development)
                let known = try await settled(try await join("f-2", "free@acme.example"), development)
                #expect(known["status"]?.string == "applied")
                let failing = try await join("f-3", "taken@acme.example")
                let other = try await settled(try await join("f-4", "other@acme.example"), development)
                #expect(other["status"]?.string == "applied", "other persons go on")

                let tried = try await event(of: failing, development) { ($0["attempts"]?.int64 ?? 0) > 0 }
                #expect(tried["status"]?.string == "pending")
                #expect(tried["reason"]?.string == "another active user has that user name")

                let rest = try await hurryToDeath(failing, development)
                #expect(rest["attempts"]?.int64 == Int64(RetryPolicy.mostAttempts))
                let trail = try await development.auditor()
                    .get("/v1/audit/entries?action=event.dead&target=\(rest["id"]?.string ?? "")")
                #expect(trail.items.count == 1, "its death is an entry")
                #expect(try await development.number("SELECT count(*) AS n FROM people WHERE external_id = 'f-3'") == 0)

                // Freed, and tried again by an admin, it applies.
                _ = try await settled(try await sender.post(Sender.event("leaver", "f-1")), development)
                let retried = try await development.admin().post("/v1/events/\(rest["id"]?.string ?? "")/retry")
                #expect(retried.status == 200)
                #expect(try await settled(failing, development)["status"]?.string == "applied")
            }
        }

        @Test func `a leaver does not wait for a failing event of its own person`() async throws {
            try await Development.with("leaver") { development in
                let sender = development.sender()
                let (_, grant) = try await Story.join("l-1", userName: "one@acme.example", development)
                let client = try await Story.claim(grant, development)
                #expect(try await development.bearer(client.token).get("/v1/people").status == 200)
                // The integration user that the move calls for has a name that somebody else took.
                let made = try await development.admin().post(
                    "/v1/users",
                    [
                        "kind": "integration",
                        "integration": development.organization()[pointer: "/integrations/1/id"] ?? .null,
                        "username": "badges.one@acme.example",
                        "custodian": .string(try await member(of: "l-1", development)),
                    ]
                )
                #expect(made.status == 201, "\(made.text)")
                var mover = Sender.event(
                    "mover",
                    "l-1",
                    userName: "one@acme.example",
                    department: "Finance",
                    title: "Field Engineer"
                )
                mover = mover.settingManager("l-9")
                let failing = try await sender.post(mover)
                _ = try await event(of: failing, development) { ($0["attempts"]?.int64 ?? 0) > 0 }
                let leaver = try await sender.post(Sender.event("leaver", "l-1"))
                let left = try await event(of: leaver, development) { $0["status"]?.string != "pending" }
                #expect(left["status"]?.string == "applied")
                #expect(try await development.bearer(client.token).get("/v1/people").status == 401)
                // What failed is older than the leaver now.
                try await hurry(development)
                #expect(try await settled(failing, development)["status"]?.string == "stale")
            }
        }

        @Test func `two workers more apply each event once`() async throws {
            try await Development.with("workers") { development in
                for number in 1...2 {
                    let settings = development.settings([
                        "ROLLCALL_ROLES": "worker", "ROLLCALL_BIND": "127.0.0.1:0",
                    ])
                    _ = try await development.launch("worker\(number)", ["serve"], environment: settings)
                }
                let sender = development.sender()
                let persons = 60
                try await withThrowingTaskGroup { group in
                    for lane in 0..<6 {
                        group.addTask {
                            for number in stride(from: lane, to: persons, by: 6) {
                                let (id, name) = ("w-\(number)", "w-\(number)@acme.example")
                                for department in ["Finance", "Sales", "Finance"] {
                                    let kind = department == "Finance" ? "joiner" : "mover"
                                    let event = Sender.event(kind, id, userName: name, department: department)
                                    let answer = try await sender.post(event)
                                    #expect(answer.status == 202)
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await development.settle())
                #expect(
                    try await development.number("SELECT count(*) AS n FROM events WHERE status = 'applied'")
                        == 3 * persons
                )
                // Each person began twice, and each beginning and each end is told once.
                for (action, times) in [("grant.created", 2), ("grant.ended", 1), ("person.created", 1)] {
                    let told = try await development.number(
                        "SELECT count(*) AS n FROM audit_entries WHERE action = \(action)"
                    )
                    #expect(told == times * persons)
                }
                #expect(
                    try await development.number("SELECT count(*) AS n FROM grants WHERE status = 'active'") == persons
                )
            }
        }

        // MARK: Looking

        /// The one event of a delivery, once `condition` holds.
        private func event(
            of answer: Answer,
            _ development: Development,
            when condition: (JSON) -> Bool
        ) async throws -> JSON {
            let delivery = try #require(answer.json["delivery"]?.string)
            var event: JSON = .null
            try await eventually {
                let row = try await development.admin().get("/v1/deliveries/\(delivery)").json
                guard let id = row[pointer: "/events/0/id"]?.string else { return false }
                event = try await development.admin().get("/v1/events/\(id)").json
                return condition(event)
            }
            return event
        }

        private func settled(_ answer: Answer, _ development: Development) async throws -> JSON {
            try await event(of: answer, development) { $0["status"]?.string != "pending" }
        }

        /// Lets the pauses between tries pass at once.
        private func hurry(_ development: Development) async throws {
            try await development.rows("UPDATE events SET due_at = now() WHERE status = 'pending'")
            try await development.rows(
                """
                UPDATE lanes l SET ready_at = now() WHERE EXISTS (SELECT FROM events e
                    WHERE (e.source_id, e.external_id) = (l.source_id, l.external_id) AND e.status = 'pending')
                """
            )
        }

        private func hurryToDeath(_ answer: Answer, _ development: Development) async throws -> JSON {
            for _ in 0..<200 {
                let event = try await event(of: answer, development) { _ in true }
                if event["status"]?.string == "dead" { return event }
                try await hurry(development)
                try await Task.sleep(for: .milliseconds(150))
            }
            return try await settled(answer, development)
        }

        private func person(_ id: String, _ development: Development) async throws -> [String: String] {
            let row = try await development.rows(
                """
                SELECT status, coalesce(attributes #>> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,department}',
                    '') AS department FROM people WHERE external_id = \(id)
                """
            )
            let found = try #require(row.first)
            return ["status": try found.decode("status"), "department": try found.decode("department")]
        }

        private func member(of person: String, _ development: Development) async throws -> String {
            let known = try await development.admin().get("/v1/people", filter: "externalId eq \"\(person)\"")
            let id = known.first?["id"]?.string ?? ""
            let users = try await development.admin().get("/v1/users", filter: "person eq \"\(id)\"")
            return users.first { $0["kind"]?.string == "member" }?["id"]?.string ?? ""
        }
    }
}

extension JSON {
    /// A canonical event whose person has that manager.
    fileprivate func settingManager(_ manager: String) -> JSON {
        guard var event = object, var person = event["person"]?.object,
            var enterprise = person[CanonicalPerson.enterprise]?.object
        else { return self }
        enterprise["manager"] = ["value": .string(manager)]
        person[CanonicalPerson.enterprise] = .object(enterprise)
        event["person"] = .object(person)
        return .object(event)
    }
}
