import Foundation
import Glibc
import HTTPTypes
import Postgres
import Synchronization
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// Secrets that are used throughout are in nothing that is kept or shown.
    @Suite struct Canary {
        @Test func `no secret stands in a log, a metric, an error or a dump`() async throws {
            try await Development.with("canary", arguments: ["--verbose"]) { development in
                let (metricsPort, web) = try await serve(development)
                let (_, grant) = try await Story.join("c-1", userName: "ada@acme.example", development)
                let client = try await Story.claim(grant, development)
                let other = development.bearer(nil).at(web)
                var shown: [String: String] = [:]
                shown["errors"] = try await misuse(client, development, other)
                let added = try await use(client, development, at: web)

                shown["log of dev"] = development.log
                shown["log of serve"] = try String(contentsOfFile: development.home + "-web.err", encoding: .utf8)
                let metrics = try await other.get("http://127.0.0.1:\(metricsPort)/metrics")
                #expect(metrics.status == 200)
                shown["metrics"] = metrics.text
                shown["dump"] = try await dump(development)
                shown["log of PostgreSQL"] = try String(
                    contentsOfFile: development.home + "/cluster/server.log",
                    encoding: .utf8
                )
                shown["audit log"] = try await development.auditor().get("/v1/audit/entries?limit=200").text
                expectSound(shown)
                let secrets = try secrets(client, added, development)
                for (place, text) in shown {
                    for (name, forms) in secrets {
                        for form in forms { #expect(!text.contains(form), "\(place) holds \(name)") }
                    }
                }
            }
        }

        /// Each place says what it ought to say, so that looking into it means something.
        private func expectSound(_ shown: [String: String]) {
            #expect(shown["log of dev"]?.contains("\"message\"") ?? false, "\(shown["log of dev"]?.prefix(400) ?? "")")
            #expect(shown["log of serve"]?.contains("Ready") ?? false)
            for metric in [
                #"rollcall_deliveries_total{source="hris",verdict="accepted"}"#,
                "rollcall_acknowledgement_seconds_count",
                "rollcall_events_pending ", "rollcall_events_oldest_age_seconds ",
                #"rollcall_pool_connections{state="idle"}"#, #"rollcall_partitions_ahead{table="audit_entries"} 3"#,
                "rollcall_commit_batch_size", "rollcall_http_requests_total",
            ] {
                #expect(shown["metrics"]?.contains(metric) ?? false, "\(metric)")
            }
            #expect(shown["dump"]?.contains("COPY public.tokens") ?? false)
            #expect(shown["dump"]?.contains("ada@acme.example") ?? false)
            #expect(shown["errors"]?.contains("request_id") ?? false)
            #expect(shown["audit log"]?.contains("grant.secret_claimed") ?? false)
        }

        /// Every secret, in the forms in which it could stand somewhere.
        private func secrets(
            _ client: Story.Client,
            _ added: String,
            _ development: Development
        ) throws -> [(String, [String])] {
            let source = development.sender().secret
            let payload = String(source.dropFirst("whsec_".count))
            let line = try String(contentsOfFile: development.home + "/keyring", encoding: .utf8)
            let key = line.split(whereSeparator: \.isWhitespace).last.map(String.init) ?? ""
            #expect(key.count > 40 && payload.count > 40)
            let texts = [
                ("the source's secret", payload), ("the secret of the key added", String(added.dropFirst(6))),
                ("the client secret", client.secret),
                ("the access token", client.token),
                ("the claim link", String(client.link.split(separator: "/").last ?? "")),
                ("the admin's token", development.admin().token ?? ""),
                ("the auditor's token", development.auditor().token ?? ""), ("the keyring's key", key),
            ]
            return texts.map { name, text in
                var forms = [text, Self.hex(Array(text.utf8)), Data(text.utf8).base64EncodedString()]
                if let raw = Data(base64Encoded: text) { forms += [Self.hex(Array(raw))] }
                return (name, forms)
            }
        }

        private static func hex(_ bytes: [UInt8]) -> String {
            bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }

        // MARK: Using them

        /// Another server on the same database, with metrics; both ports.
        private func serve(_ development: Development) async throws -> (metrics: Int, web: Int) {
            let (metrics, web) = (try await FreePort.find(), try await FreePort.find())
            let settings = development.settings([
                "ROLLCALL_METRICS_BIND": "127.0.0.1:\(metrics)", "ROLLCALL_BIND": "127.0.0.1:\(web)",
                "ROLLCALL_LOG_LEVEL": "trace",
            ])
            _ = try await development.launch("web", ["serve"], environment: settings)
            try await eventually {
                // No answer yet: asked again.
                (try? await development.bearer(nil).at(web).get("/readyz"))?.status == 200
            }
            return (metrics, web)
        }

        /// On both servers, each secret where it belongs; one that is made for it is returned.
        private func use(_ client: Story.Client, _ development: Development, at port: Int) async throws -> String {
            for server in [development.bearer(client.token), development.bearer(client.token).at(port)] {
                #expect(try await server.get("/v1/people").status == 200)
            }
            let again = try await development.bearer(nil).at(port).exchange(client.grant, client.secret)
            #expect(again.status == 200)
            let path = URL(string: development.sender().url)?.path ?? ""
            let event = Sender.event("joiner", "c-2", userName: "c-2@acme.example", department: "Finance")
            let hook = "http://127.0.0.1:\(port)\(path)"
            #expect(try await development.sender().post(event.bytes, to: hook).status == 202)
            let fresh = "whsec_" + Data((0..<32).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
            let source = development.organization()[pointer: "/sources/0/id"]?.string ?? ""
            let added = try await development.admin().at(port).post(
                "/v1/sources/\(source)/keys",
                ["secret": .string(development.sender().secret), "label": "again"]
            )
            #expect(added.status == 201 || added.status == 409, "\(added.text)")
            #expect(
                try await development.admin().post("/v1/sources/\(source)/keys", ["secret": .string(fresh)]).status
                    == 201
            )
            #expect(try await development.settle())
            return fresh
        }

        /// Each secret where it does not belong: what is answered, all together.
        private func misuse(_ client: Story.Client, _ development: Development, _ other: Bearer) async throws -> String
        {
            let anyone = development.bearer(nil)
            let damaged = client.token.dropLast() + "x"
            var answers = [
                try await anyone.send(.post, client.link),
                try await anyone.get(client.link),
                try await development.bearer(client.token).get("/v1/audit/entries"),
                try await development.bearer(String(damaged)).get("/v1/people"),
                try await development.bearer(client.secret).get("/v1/people"),
                try await development.bearer(development.sender().secret).get("/v1/people"),
                try await anyone.exchange(client.grant, client.token),
                try await anyone.exchange(client.secret, client.grant),
                try await anyone.get("/v1/people?access_token=\(client.token)"),
                try await anyone.get("/nothing/\(client.token)"),
                try await development.admin().get("/v1/grants/\(client.secret)"),
                try await development.admin().get("/v1/people?filter=\(client.token)"),
                try await development.admin().post("/v1/workspaces", ["slug": .string(client.secret)]),
                try await other.send(.post, "/claim/\(client.token)"),
                try await other.form("/oauth/token", [("client_secret", client.secret)]),
                try await other.form("/oauth/introspect", [("token", client.token)]),
            ]
            let body = Array(client.secret.utf8)
            answers.append(
                try await development.sender().post(body, secret: "whsec_" + Data(body).base64EncodedString())
            )
            let refused = answers.filter { (400..<500).contains($0.status) }
            #expect(refused.count >= answers.count - 1, "\(answers.map(\.status))")
            return answers.map(\.text).joined(separator: "\n")
                + answers.flatMap { $0.headers.map { "\($0.name): \($0.value)" } }.joined(separator: "\n")
        }

        private func dump(_ development: Development) async throws -> String {
            let file = development.home + "-dump.sql"
            let programs = try await PostgresPrograms.find()
            let run = try await Program.shell(
                "\(programs.directory)/pg_dump --file='\(file)' --dbname='\(development.superuserDatabaseURL)'"
            )
            #expect(run.status == 0, "\(run.stderr)")
            return try String(contentsOfFile: file, encoding: .utf8)
        }
    }
}

extension Bearer {
    /// The same caller at another server of this machine.
    func at(_ port: Int) -> Bearer { Bearer(base: "http://127.0.0.1:\(port)", token: token) }
}
