import Foundation
import TestSupport
import Testing
import Transparency

@Suite struct `The client's requests` {
    @Test func `an update names the version that it read`() async throws {
        let answers = [
            "GET /v1/grants/grt_1": LocalPeer.json("200 OK", #"{"id": "grt_1"}"#, headers: "ETag: \"v3\"\r\n"),
            "PATCH /v1/grants/grt_1": LocalPeer.json("200 OK", #"{"id": "grt_1"}"#),
        ]
        try await LocalPeer.with(.answers(answers)) { port, received in
            let run = try await Program.run(
                ["grant", "update", "grt_1", "--ip", "198.51.100.7", "--scope", "people:read"],
                environment: ["ROLLCALL_URL": "http://127.0.0.1:\(port)", "ROLLCALL_TOKEN": "rcw_test"]
            )
            #expect(run.status == 0)
            let text = received.text.lowercased()
            #expect(text.contains("if-match: \"v3\"\r\n"))
            #expect(text.contains("content-type: application/merge-patch+json\r\n"))
            #expect(text.contains(#"{"scopes":["people:read"],"ip_allow_list":["198.51.100.7"]}"#))
            #expect(text.contains("authorization: bearer rcw_test\r\n"))
        }
    }

    @Test func `options win over the body`() async throws {
        let answers = ["POST /v1/grants": LocalPeer.json("201 Created", #"{"id": "grt_9"}"#)]
        try await LocalPeer.with(.answers(answers)) { port, received in
            let run = try await Program.run(
                ["grant", "create", "--body", "-", "--username", "ada"],
                environment: ["ROLLCALL_URL": "http://127.0.0.1:\(port)", "ROLLCALL_TOKEN": "rcw_test"],
                stdin: #"{"username": "nobody", "client_name": "x"}"#
            )
            #expect(run.status == 0)
            #expect(received.text.hasSuffix(#"{"username":"ada","client_name":"x"}"#))
        }
    }

    @Test func `an appended entry names its caller by their token alone, and is kept once`() async throws {
        let answers = ["POST /v1/audit/entries": LocalPeer.json("201 Created", #"{"appended": 1}"#)]
        try await LocalPeer.with(.answers(answers)) { port, received in
            let run = try await Program.run(
                [
                    "audit", "append", "--subject-token-file", "-", "--action", "payroll.read", "--outcome", "refused",
                    "--client-ip", "198.51.100.7", "--detail", "run=a=b", "--idempotency-key", "k-1",
                ],
                environment: ["ROLLCALL_URL": "http://127.0.0.1:\(port)", "ROLLCALL_TOKEN": "rca_api"],
                stdin: "rca_caller\n"
            )
            #expect(run.status == 0 && !run.stdout.contains("rca_") && !run.stderr.contains("rca_"))
            #expect(received.text.lowercased().contains("idempotency-key: k-1\r\n"))
            let body = try JSON.parse(text: String(received.text.split(separator: "\r\n\r\n").last ?? ""))
            #expect(
                body == [
                    "subject_token": "rca_caller", "action": "payroll.read", "outcome": "refused",
                    "client_ip": "198.51.100.7", "details": ["run": "a=b"],
                ]
            )
        }
    }

    @Test func `keys of a file are sent as they are`() async throws {
        let answers = ["POST /v1/grants/grt_1/keys": LocalPeer.json("200 OK", #"{"id": "grt_1"}"#)]
        try await LocalPeer.with(.answers(answers)) { port, received in
            let run = try await Program.run(
                ["grant", "register-keys", "grt_1", "--jwks", "-"],
                environment: ["ROLLCALL_URL": "http://127.0.0.1:\(port)", "ROLLCALL_TOKEN": "rca_api"],
                stdin: #"{"keys": [{"kty": "EC"}]}"#
            )
            #expect(run.status == 0 && received.text.hasSuffix(#"{"jwks":{"keys":[{"kty":"EC"}]}}"#))
        }
    }

    @Test func `what was not given is not sent`() async throws {
        let answers = ["POST /v1/sources": LocalPeer.json("201 Created", #"{"id": "src_1"}"#)]
        try await LocalPeer.with(.answers(answers)) { port, received in
            let run = try await Program.run(
                ["source", "create", "--slug", "hr"],
                environment: ["ROLLCALL_URL": "http://127.0.0.1:\(port)", "ROLLCALL_TOKEN": "rcw_test"]
            )
            #expect(run.status == 0)
            #expect(received.text.hasSuffix(#"{"slug":"hr","profile":"standard-webhooks","mapping":"canonical"}"#))
        }
    }

    @Test func `a home tells where the server is and holds the tokens of each organization`() async throws {
        let home = FileManager.default.temporaryDirectory.appendingPathComponent(
            "rollcall-home-\(ProcessInfo.processInfo.processIdentifier)"
        )
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: home) }
        let answers = ["GET /v1/whoami": LocalPeer.json("200 OK", #"{"organization": "globex"}"#)]
        try await LocalPeer.with(.answers(answers)) { port, received in
            let development = """
                {"base_url": "http://127.0.0.1:\(port)", "organizations": [
                 {"slug": "acme", "admin_token": "rcw_acme", "auditor_token": "rcw_acme_auditor"},
                 {"slug": "globex", "admin_token": "rcw_globex", "auditor_token": "rcw_globex_auditor"}]}
                """
            try Data(development.utf8).write(to: home.appendingPathComponent("dev.json"))
            let options = ["whoami", "--home", home.path]
            // The option wins over what the environment says.
            let environment = ["ROLLCALL_URL": "http://127.0.0.1:1", "ROLLCALL_TOKEN": "rcw_other"]
            #expect(try await Program.run(options, environment: environment).status == 0)
            #expect(received.text.contains("Bearer rcw_acme\r\n"))
            #expect(try await Program.run(options + ["--organization", "globex", "--as-auditor"]).status == 0)
            #expect(received.text.contains("Bearer rcw_globex_auditor\r\n"))
            let unknown = try await Program.run(options + ["--organization", "initech"])
            #expect(unknown.status == 3)
            #expect(unknown.stderr.contains("only: acme, globex"))
        }
    }

    @Test func `a reader that has seen enough is no failure`() async throws {
        let run = try await Program.shell("{ sleep 0.3; rollcall completion bash; echo \"status $?\" >&2; } | true")
        #expect(run.stderr == "status 0\n")
    }

    @Test func `no secret is an option`() async throws {
        for command in [["source", "create"], ["source", "add-key"], ["whoami"], ["grant", "create"]] {
            let help = try await Program.run(command + ["--help"]).stdout
            #expect(!help.contains("--token <"))
            #expect(!help.contains("--secret"))
            #expect(!help.contains("--key <"))
        }
    }
}
