import Domain
import HTTPTypes
import Logging
import OAuth
import Outbound
import Postgres
import Storage
import Synchronization
import TestSupport
import Testing
import Transparency

/// draft-ietf-oauth-client-id-metadata-document, behind its switch.
@Suite struct `Clients that a document describes` {
    private static let address = "https://agent.example/oauth/client.json"
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func document(_ changes: JSON.Object = [:]) -> JSON {
        var document: JSON.Object = [
            "client_id": .string(address), "client_name": "Agent", "redirect_uris": [.string(TestApp.redirect)],
            "scope": "people:read",
        ]
        for (name, value) in changes.members { document[name] = value }
        return .object(document)
    }

    /// Documents by address, and how often each was asked for.
    private final class Web: Sendable {
        let asked = Mutex<[String]>([])
        let answer: Mutex<JSON>

        init(_ answer: JSON = document()) { self.answer = Mutex(answer) }

        /// Fetched from a peer on loopback in place of the address's host.
        func with(_ body: (ClientDocuments) async throws -> Void) async throws {
            try await LocalPeer.with(.answer(LocalPeer.json("200 OK", answer.withLock { $0.text }))) { port, _ in
                let outbound = OutboundClient(policy: .operatorChosen)
                let documents = ClientDocuments(logger: logger) { [self] request async throws(OutboundError) in
                    asked.withLock { $0.append(request.url) }
                    var request = request
                    request.url = "http://127.0.0.1:\(port)/"
                    return try await outbound.send(request)
                }
                try await body(documents)
            }
        }
    }

    @Test func `a member lets one in, and it is fetched once`() async throws {
        let web = Web()
        try await web.with { documents in
            try await TestApp.with(outsiders: OutsideClients(documents: documents)) { app in
                let metadata = try await app.oauth.send(.get, "/.well-known/oauth-authorization-server").body
                #expect(metadata["client_id_metadata_document_supported"] == true)
                let asked: [String: String?] = ["client_id": Self.address]
                // Nothing is fetched for a stranger.
                let stranger = try await app.oauth.send(.get, "/oauth/authorize?" + app.query(asked))
                #expect(stranger.status == 303 && stranger.location.hasPrefix("/signin"))
                #expect(web.asked.withLock { $0 } == [])
                let page = try await app.ask(asked)
                #expect(page.status == 200 && page.text.contains("Nobody in your organization has looked at this app"))
                #expect(page.text.contains("agent.example"))
                let issued = try await app.exchange(
                    try await app.code(asked),
                    ["client_id": Self.address, "client_secret": nil]
                )
                let access = try #require(issued.body["access_token"]?.string)
                #expect(
                    try await app.oauth.introspect(access, by: app.oauth.admin)["client_id"]?.string == Self.address
                )
                #expect(web.asked.withLock { $0 } == [Self.address])
                let entry = try await app.oauth.entries(.appCreated).last
                #expect(entry?["after"]?["origin"] == "document")
                let other = try await app.ask(["client_id": Self.address, "redirect_uri": TestApp.redirect + "?x=1"])
                #expect(other.status == 400 && other.location.isEmpty)
                let wider = try await app.ask(["client_id": Self.address, "scope": "users:read"])
                #expect(wider.status == 400 && wider.location.isEmpty && wider.text.contains("invalid_scope"))
            }
        }
    }

    @Test func `nobody approves what the document said only after they looked`() async throws {
        let web = Web(Self.document(["scope": "people:read.self"]))
        try await web.with { documents in
            try await TestApp.with(outsiders: OutsideClients(documents: documents)) { app in
                let asked: [String: String?] = ["client_id": Self.address, "scope": nil]
                let shown = try await app.ask(asked).hidden("shown")
                // Another node, or the same one later, has another document.
                let wide = Web(Self.document(["scope": "people:read users:write"]))
                let here = app
                try await wide.with { others in
                    try await here.oauth.other(outsiders: OutsideClients(documents: others)) { other in
                        var app = here
                        app.browser.oauth = other
                        let again = try await app.approve(asked, shown: shown)
                        #expect(again.status == 200 && again.location.isEmpty)
                        #expect(again.text.contains("changed while this page was open"))
                        #expect(again.text.contains("users:write"))
                        #expect(try await other.fixture.number("SELECT count(*) FROM authorization_codes") == 0)
                        // Seen, it is theirs to approve.
                        let approved = try await app.approve(asked, shown: again.hidden("shown"))
                        #expect(approved.member("code") != nil)
                    }
                }
            }
        }
    }

    @Test(
        arguments: [
            ["client_id": "https://agent.example/oauth/client.json/"],
            ["client_id": "https://evil.example/client.json"],
            ["client_id": .null], ["client_secret": "x"], ["token_endpoint_auth_method": "client_secret_basic"],
            ["token_endpoint_auth_method": "private_key_jwt"], ["redirect_uris": .null],
            ["redirect_uris": ["http://app.example/"]], ["grant_types": ["client_credentials"]],
            ["padding": .string(String(repeating: "a", count: 20_000))],
        ] as [JSON.Object]
    )
    func `a document that says something else describes nobody`(_ changes: JSON.Object) async throws {
        let web = Web(Self.document(changes))
        try await web.with { documents in
            let url = try #require(ClientDocumentURL(Self.address))
            #expect(await documents.client(at: url) == nil)
            // And is not asked for again at once.
            #expect(await documents.client(at: url) == nil)
            #expect(web.asked.withLock { $0.count } == 1)
        }
    }

    @Test func `what is no document, or stands elsewhere, is none`() async throws {
        let scripts: [LocalPeer.Script] = [
            .answer(LocalPeer.json("404 Not Found", Self.document().text)), .answer(LocalPeer.json("200 OK", "[]")),
            .answer(LocalPeer.json("302 Found", Self.document().text, headers: "Location: http://127.0.0.1:1/\r\n")),
            .hangUp,
        ]
        for script in scripts {
            try await LocalPeer.with(script) { port, _ in
                let outbound = OutboundClient(policy: .operatorChosen)
                let documents = ClientDocuments(logger: Self.logger) { request async throws(OutboundError) in
                    var request = request
                    request.url = "http://127.0.0.1:\(port)/"
                    return try await outbound.send(request)
                }
                let url = try #require(ClientDocumentURL(Self.address))
                #expect(await documents.client(at: url) == nil)
            }
        }
    }

    @Test func `no address of ours or of the network around us is reached`() async throws {
        try await LocalPeer.with(.answer(LocalPeer.json("200 OK", Self.document().text))) { port, received in
            let documents = ClientDocuments(
                outbound: OutboundClient(policy: .publicOnly(ports: [443, port])),
                logger: Self.logger
            )
            for host in [
                "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "192.168.1.1",
                "172.16.0.1", "100.64.0.1", "0.0.0.0", "[fe80::1]", "[fd00::1]", "2130706433", "127.1",
            ] {
                for place in ["https://\(host):\(port)/client.json", "https://\(host)/client.json"] {
                    guard let url = ClientDocumentURL(place) else { continue }
                    #expect(await documents.client(at: url) == nil, "\(place)")
                }
            }
            #expect(received.text.isEmpty)
        }
    }

    @Test func `an address is one in one spelling, with a path`() {
        #expect(ClientDocumentURL(Self.address)?.description == Self.address)
        #expect(ClientDocumentURL("https://agent.example:8443/c")?.description == "https://agent.example:8443/c")
        for bad in [
            "http://agent.example/c", "https://agent.example", "https://agent.example/", "https://agent.example/c?a=b",
            "https://agent.example/c#x", "https://u:p@agent.example/c", "https://Agent.example/c",
            "https://agent.example/../c", "https://agent.example/./c", "https://agent.example/a/..",
            "https://agent.example/%2e%2e/c", "https://agent.example\\@evil.example/c", "file:///etc/passwd",
            "https://agent.example /c", "",
        ] { #expect(ClientDocumentURL(bad) == nil, "\(bad)") }
    }

    @Test func `off, such a client is unknown`() async throws {
        try await TestApp.with { app in
            let answer = try await app.ask(["client_id": Self.address])
            #expect(answer.status == 400)
        }
    }
}
