import Domain
import Foundation
import HTTPTypes
import HummingbirdTesting
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// The samples of `deploy/` in the real programs, with a real API behind. Where a program is not installed its tests are
/// skipped; deploy/test installs them.
@Suite(.serialized) struct `Samples of proxies` {
    private static let api = LocalPeer.json("200 OK", #"{"paid": true}"#)

    private static var freePort: Int { Int.random(in: 32_000..<32_700) }

    private func nginx(
        _ check: TestCheck,
        _ body: (SampleProxy, LocalPeer.Received) async throws -> Void
    ) async throws {
        let program = try #require(SampleProxy.program("nginx"))
        try await LocalPeer.with(.answer(Self.api)) { api, received in
            let port = Self.freePort
            let sample = try SampleProxy.sample(
                "deploy/nginx/forward-auth.conf",
                rollcall: check.port,
                api: api,
                port: port
            )
            let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path temp;" }
            let whole = """
                daemon off; master_process off; pid nginx.pid; error_log stderr;
                events {}
                http { access_log off; \(paths.joined(separator: " "))
                \(sample)
                }
                """
            try await SampleProxy.with(
                program,
                files: ["nginx.conf": whole],
                arguments: { ["-p", $0, "-c", "\($0)/nginx.conf", "-e", "stderr"] },
                port: port
            ) { try await body($0, received) }
        }
    }

    private func caddy(
        _ check: TestCheck,
        _ body: (SampleProxy, LocalPeer.Received) async throws -> Void
    ) async throws {
        let program = try #require(SampleProxy.program("caddy"))
        try await LocalPeer.with(.answer(Self.api)) { api, received in
            let port = Self.freePort
            let sample = try SampleProxy.sample("deploy/caddy/Caddyfile", rollcall: check.port, api: api, port: port)
            let whole = "{\n\tadmin off\n\tauto_https off\n}\n" + sample
            try await SampleProxy.with(
                program,
                files: ["Caddyfile": whole],
                arguments: { ["run", "--adapter", "caddyfile", "--config", "\($0)/Caddyfile"] },
                port: port
            ) { try await body($0, received) }
        }
    }

    private func story(
        _ check: TestCheck,
        _ proxy: SampleProxy,
        _ received: LocalPeer.Received,
        unavailable: Int
    ) async throws {
        let bearer = "Authorization: Bearer \(check.token)"
        let good = try await proxy.get("/payroll/runs?month=11", [bearer])
        #expect(good.status == 200 && good.text == #"{"paid": true}"#)
        let behind = received.text.lowercased()
        #expect(behind.contains("x-rollcall-user: \(check.user)"))
        #expect(behind.contains("x-rollcall-scopes: people:read people:read.self"))
        #expect(!behind.contains(check.token.lowercased()) && !behind.contains(TestCheck.secret))
        let entry = try #require(try await check.entries().last)
        #expect(entry["client_ip"] == "127.0.0.1" && entry[pointer: "/after/action"] == "payroll.read")

        // What a client says of itself under our names, or the proxies', never arrives.
        let forged = try await proxy.get(
            "/payroll/runs",
            [
                bearer, "X-Rollcall-User: usr_forged", "X-Rollcall-Person: per_forged", "X-Rollcall-Check: scope=x",
                "X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9",
                "X-Rollcall-Proxy: forged", "X-Forwarded-Method: DELETE",
            ],
            method: "POST"
        )
        #expect(forged.status == 200)
        #expect(!received.text.contains("forged"))
        let second = try #require(try await check.entries().last)
        #expect(second["client_ip"] == "127.0.0.1" && second[pointer: "/after/method"] == "POST")

        let missing = try await proxy.get("/payroll/runs")
        #expect(missing.status == 401 && missing.fields["www-authenticate"] == "Bearer")
        let wrong = try await proxy.get("/payroll/runs", ["Authorization: Bearer nonsense"])
        #expect(wrong.status == 401 && wrong.fields["www-authenticate"] == #"Bearer error="invalid_token""#)
        let query = try await proxy.get("/payroll/runs?access_token=\(check.token)")
        #expect(query.status == 401)
        #expect(try await proxy.get("/elsewhere", [bearer]).status == 403)
        let twice = try await proxy.get("/payroll/runs", [bearer, "Authorization: Bearer \(check.token)"])
        #expect((400...403).contains(twice.status))

        let asked = received.connectionCount
        _ = try await check.fixture.store.perform(
            GrantStateChange(of: check.grant, to: .suspended, by: check.fixture.attribution(of: check.admin)),
            in: check.organization.id
        )
        #expect(try await proxy.get("/payroll/runs", [bearer]).status == 401)
        await check.fixture.pool.close()
        #expect(try await proxy.get("/payroll/runs", [bearer]).status == unavailable)
        #expect(received.connectionCount == asked)
    }

    @Test(.enabled(if: SampleProxy.program("nginx") != nil)) func `nginx asks about every request`() async throws {
        try await TestCheck.with { check in
            try await nginx(check) { try await story(check, $0, $1, unavailable: 503) }
        }
    }

    @Test(.enabled(if: SampleProxy.program("caddy") != nil)) func `Caddy asks about every request`() async throws {
        try await TestCheck.with { check in
            try await caddy(check) { try await story(check, $0, $1, unavailable: 503) }
        }
    }

    @Test func `what Traefik sends is answered: GET, the client's request in fields`() async throws {
        try await TestCheck.with { check in
            let answer = try await check.ask(
                .get,
                TestCheck.path,
                [
                    ("X-Forwarded-Method", "DELETE"), ("X-Forwarded-Proto", "https"),
                    ("X-Forwarded-Host", "api.example"),
                    ("X-Forwarded-Uri", "/payroll/runs/7?scope=x"), ("X-Forwarded-For", "192.0.2.10"),
                ]
            )
            #expect(answer.status == .ok)
            #expect(try await check.entries().last?[pointer: "/after/method"] == "DELETE")
        }
    }
}
