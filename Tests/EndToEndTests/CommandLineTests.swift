import Foundation
import Postgres
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// The command line against a server that runs: exit codes, and tables in which something stands.
    @Suite struct CommandLine {
        @Test func `the demo plays the main job and ends with the trail`() async throws {
            let run = try await Program.run(["demo"])
            #expect(run.status == 0, "\(run.stderr)")
            let lines = run.stdout.split(separator: "\n")
            #expect(lines.first?.hasPrefix("RECORDED") ?? false)
            #expect(lines.count > 20)
            for action in ["person.created", "grant.secret_claimed", "person.read", "grant.ended", "person.ended"] {
                #expect(run.stdout.contains(action), "\(action)")
            }
            #expect(run.stdout.contains("refused") && run.stderr.contains("Every step held"))
            #expect(!run.stdout.contains("rcs_") && !run.stderr.contains("rcs_") && !run.stderr.contains("rca_"))
            let left = try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { name in
                guard name.hasPrefix("rollcall-demo-"), let process = Int32(name.dropFirst(14)) else { return false }
                return !Processes.isAlive(process)
            }
            #expect(left.isEmpty, "everything is removed afterwards")
        }

        @Test func `every list prints a table without empty columns`() async throws {
            try await Development.with("verbs") { development in
                let (person, grant) = try await Story.join("v-1", userName: "ada@acme.example", development)
                let client = try await Story.claim(grant, development)
                _ = try await development.bearer(client.token).get("/v1/people")
                _ = try await development.bearer(client.token).get("/v1/audit/entries")
                _ = try await development.sender().post(Array("[]".utf8))
                #expect(try await development.settle())
                try await tables(development)
                try await queries(person, grant, development)
                try await ends(development)
                try await captured(development)
                try await operators(development)
            }
        }

        // MARK: Tables

        private func tables(_ development: Development) async throws {
            let whoami = try await verb(["whoami"], development)
            for word in ["acme", "admin@acme.example", "member", "audit:read"] {
                #expect(whoami.stdout.contains(word), "\(word)\n\(whoami.stdout)")
            }
            // When a grant was used last is written behind the request.
            try await eventually {
                try await verb(["grant", "list", "-o", "csv"], development).stdout.contains("127.0.0.1")
            }
            // Columns that may stand empty in every row of this cast.
            let optional: Set = ["REASON", "INTEGRATION", "PERSON", "CUSTODIAN"]
            for noun in ["source", "delivery", "event", "person", "integration", "user", "grant"] {
                let run = try await verb([noun, "list"], development)
                #expect(run.status == 0, "\(noun): \(run.stderr)")
                let table = try await verb([noun, "list", "-o", "csv"], development)
                let rows = table.stdout.split(whereSeparator: \.isNewline).map {
                    $0.split(separator: ",", omittingEmptySubsequences: false)
                }
                #expect(rows.count > 1, "\(noun)")
                for (place, heading) in (rows.first ?? []).enumerated() {
                    let isFilled = rows.dropFirst().contains { $0.count > place && !$0[place].isEmpty }
                    #expect(isFilled || optional.contains(heading.uppercased()), "\(noun): \(heading) is empty")
                }
                print("$ rollcall \(noun) list\n\(run.stdout)")
            }
            let people = try await verb(
                ["person", "list", "--filter", "userName eq \"ada@acme.example\"", "-o", "json"],
                development
            )
            #expect(try JSON.parse(text: people.stdout).array?.count == 1)
            let none = try await verb(
                ["person", "list", "--filter", "userName eq \"nobody\"", "-o", "json"],
                development
            )
            let found = try JSON.parse(text: none.stdout).array
            #expect(none.status == 0 && found?.isEmpty ?? false)
        }

        private func queries(_ person: JSON, _ grant: JSON, _ development: Development) async throws {
            func query(_ options: String...) async throws -> [JSON] {
                let run = try await verb(
                    ["audit", "query", "--all", "-o", "json"] + options,
                    development,
                    asAuditor: true
                )
                #expect(run.status == 0, "\(options): \(run.stderr)")
                return try JSON.parse(text: run.stdout).array ?? []
            }
            func allHave(_ entries: [JSON], _ pointer: String, _ value: String?) {
                #expect(!entries.isEmpty && entries.allSatisfy { $0[pointer: pointer]?.string == value }, "\(pointer)")
            }
            let userName = "payroll.ada@acme.example"
            let everything = try await query().count
            let byActor = try await query("--actor", userName)
            allHave(byActor, "/display/actor", userName)
            let byTarget = try await query("--target", grant["id"]?.string ?? "")
            allHave(byTarget, "/target/id", grant["id"]?.string)
            allHave(try await query("--action", "person.created"), "/action", "person.created")
            let byPerson = try await query("--person", person["id"]?.string ?? "")
            #expect(byPerson.contains { $0["action"]?.string == "grant.created" } && byPerson.count < everything)
            allHave(try await query("--filter", "outcome eq \"refused\""), "/outcome", "refused")
            let recorded = byPerson.compactMap { $0["recorded_at"]?.string }.sorted()
            let middle = recorded[recorded.count / 2]
            let (since, until) = (try await query("--since", middle), try await query("--until", middle))
            #expect(!until.isEmpty && until.allSatisfy { ($0["recorded_at"]?.string ?? "") < middle })
            #expect(!since.isEmpty && since.allSatisfy { ($0["recorded_at"]?.string ?? "") >= middle })
            let table = try await verb(["audit", "query", "--limit", "100"], development, asAuditor: true)
            print("$ rollcall audit query\n\(table.stdout)")
            #expect(table.stdout.contains(userName) && table.stdout.contains("ada@acme.example"))
            let wrong = try await verb(["audit", "query", "--action", "nothing.done"], development)
            #expect(wrong.status == 1 || wrong.status == 2, "\(wrong.stderr)")
        }

        // MARK: Exit codes

        private func ends(_ development: Development) async throws {
            let unknown = "per_01k9qyc5qje1qsv9svhrqgc8d3"
            #expect(try await verb(["person", "get", unknown], development).status == 3)
            #expect(try await verb(["person", "list", "--limit", "0"], development).status == 2)
            #expect(try await verb(["person", "list", "--filter", "userName ="], development).status != 0)
            #expect(try await verb(["source", "get", unknown], development).status == 3)
            let url = ["--url", development.baseURL]
            #expect(try await Program.run(["person", "list"] + url).status == 4, "no token")
            let bad = try await Program.run(["person", "list"] + url, environment: ["ROLLCALL_TOKEN": "rca_bad"])
            #expect(bad.status == 4, "\(bad.stderr)")
            let auditor = ["ROLLCALL_TOKEN": development.auditor().token ?? ""]
            let forbidden = try await Program.run(
                ["user", "deactivate", "usr_01k9qyc5qje1qsv9svhrqgc8d0"] + url,
                environment: auditor
            )
            #expect(forbidden.status == 5 || forbidden.status == 2, "\(forbidden.status) \(forbidden.stderr)")
            let away = try await Program.run(["person", "list", "--url", "http://127.0.0.1:1"], environment: auditor)
            #expect(away.status == 7, "\(away.stderr)")
            #expect(try await Program.run(["nothing"]).status == 2)
            #expect(try await Program.run(["healthcheck", development.baseURL]).status == 0)
        }

        // MARK: Sources

        /// What was signed with the key of a source is proved by it, here and at the server, and a changed byte is not.
        private func captured(_ development: Development) async throws {
            let sender = development.sender()
            let id = sender.url.split(separator: "/").last.map(String.init) ?? ""
            let folder = development.home + "/captured"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let (key, headers, body) = (folder + "/key", folder + "/headers", folder + "/body")
            try Data(sender.secret.utf8).write(to: URL(fileURLWithPath: key))
            try Data(repeating: 0x20, count: 1 << 20).write(to: URL(fileURLWithPath: body))
            let signed = try await Program.run(["sign", "--key-file", key, "--body", body])
            #expect(signed.status == 0, "\(signed.stderr)")
            try Data(signed.stdout.utf8).write(to: URL(fileURLWithPath: headers))
            let files = ["--headers", headers, "--body", body]
            let local = ["verify", "--profile", "standard-webhooks", "--key-file", key]
            func judged(_ status: Int) async throws {
                let there = try await verb(["source", "verify", id, "-o", "json"] + files, development)
                let here = try await Program.run(local + ["-o", "json"] + files)
                #expect(there.status == status && here.status == status, "\(there.stderr) \(here.stderr)")
                let (one, other) = (try JSON.parse(text: there.stdout), try JSON.parse(text: here.stdout))
                for member in ["verdict", "reason", "explanation", "signed", "scheme", "message_id"] {
                    #expect(one[member] == other[member], "\(member)")
                }
                #expect(one["verdict"]?.string == (status == 0 ? "verified" : "refused"))
            }
            try await judged(0)
            let table = try await verb(["source", "verify", id] + files, development)
            #expect(table.status == 0 && table.stdout.contains("verified") && table.stdout.contains("key_"))
            try (Data(repeating: 0x20, count: (1 << 20) - 1) + [0x21]).write(to: URL(fileURLWithPath: body))
            try await judged(1)
            let unknown = ["source", "verify", "src_00000000000000000000000000"]
            #expect(try await verb(unknown + files, development).status == 3)

            let keys = try JSON.parse(text: try await verb(["source", "keys", id, "-o", "json"], development).stdout)
            let first = try #require(keys.array?.first)
            #expect(first["used_last"]?.bool == true && first["last_used_at"]?.string != nil)
            let change = ["source", "update-key", id, first["id"]?.string ?? "", "-o", "json"]
            #expect(try await verb(change, development).status == 2)
            let ended = try await verb(change + ["--not-after", "2036-01-01T00:00:00Z"], development)
            #expect(
                try JSON.parse(text: ended.stdout)["not_after"]?.string == "2036-01-01T00:00:00Z",
                "\(ended.stderr)"
            )
            let endless = try await verb(change + ["--not-after", "never", "--label", "now"], development)
            let shown = try JSON.parse(text: endless.stdout)
            #expect(shown["not_after"] == .null && shown["label"] == "now", "\(endless.stderr)")
        }

        // MARK: Operators

        private func operators(_ development: Development) async throws {
            let settings = development.settings()
            let doctor = try await Program.run(["doctor"], environment: settings)
            #expect(doctor.status == 0, "\(doctor.stdout)\(doctor.stderr)")
            print("$ rollcall doctor\n\(doctor.stdout)")
            #expect(doctor.stdout.contains("ok") && !doctor.stdout.contains("fail"))
            var incomplete = settings
            incomplete["ROLLCALL_KEYRING_FILE"] = nil
            let sick = try await Program.run(["doctor"], environment: incomplete)
            #expect(sick.status == 1 && sick.stdout.contains("fail"), "\(sick.stdout)")

            try await partitions(development, settings)

            let config = try await Program.run(["config", "show", "--origin"], environment: settings)
            #expect(config.status == 0 && config.stdout.contains("environment ROLLCALL_PUBLIC_URL"))
            #expect(config.stdout.contains("ROLLCALL_KEYRING_FILE") && config.stdout.contains("default"))
            let key = try String(contentsOfFile: development.home + "/keyring", encoding: .utf8)
            #expect(!config.stdout.contains(String(key.split(separator: " ").last?.prefix(20) ?? "?")))
            print("$ rollcall config show --origin\n\(config.stdout)")

            let migrations = try await Program.run(["migrate", "status"], environment: settings)
            #expect(migrations.status == 0 && migrations.stdout.contains("0001_organizations"))
            #expect(!migrations.stdout.contains("pending"), "\(migrations.stdout)")
            try await refusals(development, settings)
            let plan = try await Program.run(["migrate", "plan"], environment: settings)
            #expect(plan.status == 0 && plan.stderr.contains("nothing is pending"))
            let unknown = settings.merging(["ROLLCALL_NOTHING": "1"]) { $1 }
            #expect(try await Program.run(["config", "show"], environment: unknown).status == 2)
        }

        /// One month ahead is a warning, none a failure, and a process that keeps the log makes them when it starts.
        private func partitions(_ development: Development, _ settings: [String: String]) async throws {
            let names = try await development.texts(
                """
                SELECT c.relname::text AS t FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'audit_entries'::regclass ORDER BY 1
                """
            )
            #expect(names.count == 4)
            for (name, state) in [(names[3], "ok"), (names[2], "warn"), (names[1], "fail")] {
                let partition = try #require(PostgresIdentifier(name))
                try await development.rows("DROP TABLE \(identifier: partition)")
                let doctor = try await Program.run(["doctor", "-o", "json"], environment: settings)
                let lines = try JSON.parse(text: doctor.stdout).array ?? []
                let line = lines.first { $0["check"]?.string == "partitions" }
                #expect(line?["state"]?.string == state, "\(doctor.stdout)")
                #expect((line?["fix"]?.string == nil) == (state == "ok"), "\(doctor.stdout)")
                #expect(doctor.status == (state == "fail" ? 1 : 0))
            }
            let sequencer = development.settings(["ROLLCALL_ROLES": "sequencer"])
            _ = try await development.launch("sequencer", ["serve"], environment: sequencer)
            try await eventually { try await development.number("SELECT partitions_ahead()::bigint AS n") == 3 }
        }

        /// A migration that was edited after it had been applied: what refuses names its file and says why.
        private func refusals(_ development: Development, _ settings: [String: String]) async throws {
            let name = "0002_people_and_users"
            let kept = try await development.texts(
                "SELECT checksum AS t FROM migration.applied WHERE name = \(name)"
            )
            try await development.rows("UPDATE migration.applied SET checksum = 'x' WHERE name = \(name)")
            for command in [["migrate", "verify"], ["migrate", "plan"], ["migrate", "up"], ["serve"]] {
                let run = try await Program.run(command, environment: settings)
                #expect(run.status == 1, "\(command): \(run.status)")
                #expect(run.stderr.contains(name) && run.stderr.contains("edited"), "\(command): \(run.stderr)")
            }
            let status = try await Program.run(["migrate", "status", "-o", "csv"], environment: settings)
            #expect(status.stdout.contains("\(name).sql") && status.stdout.contains("edited"), "\(status.stdout)")
            let doctor = try await Program.run(["doctor"], environment: settings)
            #expect(doctor.status == 1 && doctor.stdout.contains(name), "\(doctor.stdout)")
            try await development.rows(
                "UPDATE migration.applied SET checksum = \(kept.first ?? "") WHERE name = \(name)"
            )
        }

        private func verb(
            _ arguments: [String],
            _ development: Development,
            asAuditor: Bool = false
        ) async throws -> Program.Run {
            let place = ["--home", development.home] + (asAuditor ? ["--as-auditor"] : [])
            return try await Program.run(arguments + place)
        }
    }
}
