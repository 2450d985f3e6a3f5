import Domain
import Edge
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import OAuth
import Storage
import TestSupport
import Testing
import Transparency

/// The forward-auth check on a port of its own, with two organizations and a good token of the first.
struct TestCheck: Sendable {
    let fixture: StoreFixture
    let organization: TestOrganization
    let admin: TestAccount
    let grant: GrantID
    let user: UserID
    let token: String
    let port: Int
    private let client: any TestClientProtocol

    static let secret = "proxy-of-acme-0123456789abcdef0123456789"
    static let everybodys = "proxy-of-all-0123456789abcdef0123456789ab"
    static let question = "scope=people:read&action=payroll.read"
    static let path = "/authz/check?" + question

    static func with(
        rates: CallerLimits.Rates = .init(),
        trust: [String] = [],
        ipAllowList: [String]? = ["192.0.2.0/24", "127.0.0.1/32", "2001:db8::/32"],
        _ body: @Sendable (TestCheck) async throws -> Void
    ) async throws {
        try await StoreFixture.with { fixture in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let observations = GroupCommit<Observation>(fixture.store, name: "observation")
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let scopes = ScopeSet([.peopleRead, .peopleReadSelf])
            let integration = try await fixture.integration(in: organization, scopes: scopes)
            let user = try await fixture.integrationUser(of: integration, in: organization, custodian: admin.user)
            let grant = try await fixture.grant(to: user, in: organization, scopes: scopes, ipAllowList: ipAllowList)
            let token = try await fixture.accessToken(of: grant).token
            let router = Router<EdgeContext>.edge()
            Probes(checks: []).mount(on: router)
            router.closeMethods()
            ForwardAuth(
                store: fixture.store,
                observations: observations,
                credentials: try ProxyCredentials(
                    parsing: "acme \(organization.id) \(secret)\n# of a service for many\nall * \(everybodys)\n"
                ),
                trust: ProxyTrust(proxies: try trust.map { try NetworkRange($0) }),
                limits: CallerLimits(rates)
            ).mount(on: router)
            let surroundings = EdgeSurroundings(clock: fixture.clock, randomness: fixture.randomness)
            var app = try EdgeServer.application(
                responder: EdgeResponder(router.buildResponder(), surroundings: surroundings),
                configuration: EdgeServer.Configuration(address: .hostname("127.0.0.1", port: 0)),
                logger: logger
            )
            app.addServices(observations)
            try await app.test(.live) { client in
                try await body(
                    TestCheck(
                        fixture: fixture,
                        organization: organization,
                        admin: admin,
                        grant: grant,
                        user: user,
                        token: token.reveal(),
                        port: try #require(client.port),
                        client: client
                    )
                )
            }
        }
    }

    /// What a proxy sends: `fields` are laid over those of a good check, nil takes one away.
    func ask(
        _ method: HTTPRequest.Method = .get,
        _ path: String = path,
        _ fields: [(String, String?)] = []
    ) async throws -> TestResponse {
        var all: [(String, String)] = [
            ("X-Rollcall-Proxy", Self.secret), ("X-Forwarded-For", "192.0.2.10"), ("Authorization", "Bearer \(token)"),
        ]
        for (name, _) in fields { all.removeAll { $0.0.lowercased() == name.lowercased() } }
        all += fields.compactMap { name, value in value.map { (name, $0) } }
        var headers = HTTPFields()
        for (name, value) in all { headers.append(HTTPField(name: try #require(.init(name)), value: value)) }
        return try await client.executeRequest(uri: path, method: method, headers: headers, body: nil)
    }

    /// Of the answer to the same.
    func status(
        _ method: HTTPRequest.Method = .get,
        _ path: String = path,
        _ fields: [(String, String?)] = []
    ) async throws -> Int {
        try await ask(method, path, fields).status.code
    }

    /// Entries of checks.
    func entries() async throws -> [JSON] { try await fixture.leaves(in: organization.id, action: .accessChecked) }
}

extension TestResponse {
    func field(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
}

/// A proxy of the machine, in the foreground, with a sample of `deploy/` as its configuration.
struct SampleProxy {
    let port: Int

    /// nil where the program is not installed.
    static func program(_ name: String) -> String? {
        ["/usr/sbin/", "/usr/bin/", "/usr/local/bin/", "/usr/local/sbin/"].map { $0 + name }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// The sample's text with what has to be adapted: who is asked, the API behind, and where it listens.
    static func sample(_ path: String, rollcall: Int, api: Int, port: Int) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
            .replacing("127.0.0.1:8080", with: "127.0.0.1:\(rollcall)")
            .replacing("127.0.0.1:9000", with: "127.0.0.1:\(api)")
            .replacing("127.0.0.1:8443", with: "127.0.0.1:\(port)")
            .replacing("CHANGE-ME-this-is-no-secret-at-all-00000000", with: TestCheck.secret)
    }

    /// Runs the program while `body` runs. `arguments` are told the directory of its files.
    static func with(
        _ program: String,
        files: [String: String],
        arguments: (String) -> [String],
        port: Int,
        _ body: (SampleProxy) async throws -> Void
    ) async throws {
        let directory = "/tmp/rollcall-proxy-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (name, text) in files { try text.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments(directory)
        process.environment = ["HOME": directory, "PATH": "/usr/bin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let result: Result<Void, any Error>
        do {
            let proxy = SampleProxy(port: port)
            try await eventually(within: .seconds(20)) { try await proxy.answers() }
            result = .success(try await body(proxy))
        } catch {
            result = .failure(error)
        }
        // Not asked politely: signals that this process blocks are blocked there too.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try FileManager.default.removeItem(atPath: directory)
        try result.get()
    }

    private func answers() async throws -> Bool {
        // Refused until it listens.
        (try? await get("/")) != nil
    }

    struct Answer: Sendable {
        let status: Int
        let text: String
        let fields: [String: String]
    }

    /// By curl's rules: whatever fields are given, repeated ones included.
    func get(_ path: String, _ fields: [String] = [], method: String = "GET") async throws -> Answer {
        let run = try await Program.shell(
            "curl -s -m 20 -i -X \(method) "
                + fields.map { "-H '\($0)' " }.joined() + "'http://127.0.0.1:\(port)\(path)'"
        )
        guard run.status == 0 else { throw NoAnswer() }
        let parts = run.stdout.split(separator: "\r\n\r\n", maxSplits: 1)
        let lines = (parts.first ?? "").split(separator: "\r\n")
        let status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        var answered: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            answered[line[..<colon].lowercased()] = line[colon...].dropFirst().drop { $0 == " " }.description
        }
        return Answer(status: status, text: parts.count > 1 ? String(parts[1]) : "", fields: answered)
    }

    private struct NoAnswer: Error {}
}
