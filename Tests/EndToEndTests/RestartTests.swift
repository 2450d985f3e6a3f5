import Foundation
import Glibc
import HTTPTypes
import Postgres
import Testing
import Transparency

extension EndToEnd {
    /// Stopping and starting again on the same home.
    @Suite struct Restart {
        @Test func `after every kind of end it comes up with everything acknowledged`() async throws {
            try await Development.with("restart") { development in
                let (_, grant) = try await Story.join("e-1", userName: "ada@acme.example", development)
                let client = try await Story.claim(grant, development)
                var deliveries: [String] = []
                for way in Way.allCases {
                    // Posted and acknowledged a moment before the end: applied or not, they have to be there.
                    for number in 1...5 {
                        let id = "r-\(way)-\(number)"
                        let event = Sender.event("joiner", id, userName: "\(id)@acme.example", department: "Finance")
                        let answer = try await development.sender().post(event)
                        deliveries.append(try #require(answer.json["delivery"]?.string))
                    }
                    let before = development.document
                    try await end(development, way)
                    try await development.start()
                    try await expectSame(before, development)
                    try await expectAll(deliveries, development)
                    let people = try await development.bearer(client.token).get("/v1/people")
                    #expect(people.status == 200, "a token of before works after \(way)")
                }
                #expect(try await development.number("SELECT count(*) AS n FROM people") == deliveries.count + 1)
                #expect(try await development.bearer(nil).exchange(client.grant, client.secret).status == 200)
            }
        }

        enum Way: CaseIterable { case terminated, killed, databaseStopped, bothKilled }

        private func end(_ development: Development, _ way: Way) async throws {
            switch way {
            case .terminated:
                try await development.end(SIGTERM)
                #expect(development.announcement == nil, "dev.json is withdrawn on a clean stop")
                #expect(development.postmaster == nil, "stopping it stops the cluster")
            case .killed: try await development.end(SIGKILL)
            case .databaseStopped:
                try await development.endPostgres(SIGQUIT)
                let event = Sender.event("joiner", "r-late", userName: "late@acme.example")
                let answer = try await development.sender().post(event)
                #expect(answer.status == 503 && answer.headers[.retryAfter] != nil, "our fault is 503, never a 4xx")
                #expect(try await development.bearer(nil).get("/readyz").status == 503)
                #expect(try await development.bearer(nil).get("/livez").status == 200)
                try await development.end(SIGTERM)
            case .bothKilled:
                _ = Glibc.kill(development.process, SIGKILL)
                try await development.endPostgres(SIGKILL)
                try await development.end(SIGKILL)
            }
        }

        private func expectSame(_ before: JSON, _ development: Development) async throws {
            let now = development.document
            #expect(now["organizations"] == before["organizations"], "secrets, ids and addresses are those of before")
            #expect(now["pid"]?.int64 == Int64(development.process))
            let mode = try FileManager.default.attributesOfItem(atPath: development.home + "/dev.json")
            #expect((mode[.posixPermissions] as? Int) == 0o600)
            let whoami = try await development.admin().get("/v1/whoami")
            #expect(whoami.json[pointer: "/organization/slug"]?.string == "acme")
        }

        private func expectAll(_ deliveries: [String], _ development: Development) async throws {
            #expect(try await development.settle())
            for delivery in deliveries {
                let row = try await development.admin().get("/v1/deliveries/\(delivery)")
                #expect(row.json["status"]?.string == "mapped")
                #expect(row.json[pointer: "/events/0/status"]?.string == "applied")
                #expect(row.json["event_count"]?.int64 == 1)
            }
        }
    }
}
