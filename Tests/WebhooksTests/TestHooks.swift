import Domain
import Edge
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Postgres
import Storage
import TestSupport
import Testing
import Transparency
import Webhooks

/// The door on a database of its own, with an organization and a source.
struct TestHooks: Sendable {
    let fixture: StoreFixture
    let organization: TestOrganization
    let source: TestSource
    let tallies: RefusalTallies
    private let client: any TestClientProtocol

    static let body = Array(#"{"type": "ping"}"#.utf8)

    /// `store` in place of the fixture's is what the door asks.
    static func with(
        asking store: Store? = nil,
        _ body: @Sendable (TestHooks) async throws -> Void
    ) async throws {
        try await StoreFixture.with { fixture in
            let store = store ?? fixture.store
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let acceptances = GroupCommit<DeliveryAcceptance>(store, name: "delivery")
            let tallies = RefusalTallies(store, logger: logger)
            let router = Router<EdgeContext>.edge()
            WebhooksDoor(
                store: store,
                acceptances: acceptances,
                tallies: tallies,
                signal: WorkSignal(),
                profiles: try SigningProfile.embedded(),
                publicURL: "http://localhost"
            ).mount(on: router)
            router.closeMethods()
            let proxies = ProxyTrust(proxies: [try NetworkRange("127.0.0.1/32")], socketPeer: IPAddress("127.0.0.1"))
            let surroundings = EdgeSurroundings(
                clock: fixture.clock,
                randomness: fixture.randomness,
                proxies: proxies
            )
            var app = try EdgeServer.application(
                responder: EdgeResponder(router.buildResponder(), surroundings: surroundings),
                configuration: EdgeServer.Configuration(address: .hostname("localhost", port: 0)),
                logger: logger
            )
            app.addServices(acceptances)
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization)
            try await app.test(.router) { client in
                try await body(
                    TestHooks(
                        fixture: fixture,
                        organization: organization,
                        source: source,
                        tallies: tallies,
                        client: client
                    )
                )
            }
        }
    }

    struct Answer: Sendable {
        let status: Int
        let body: JSON
        let fields: HTTPFields

        var reason: String? { body["reason"]?.string }
    }

    /// The headers of a delivery that the source's key signed.
    func signed(
        _ body: [UInt8] = body,
        id: String = "msg_1",
        at instant: Timestamp? = nil,
        secret: String? = nil
    ) throws -> HTTPFields {
        let profile = try #require(try SigningProfile.embedded()["standard-webhooks"])
        let key = try SigningKey(secret: secret ?? source.secret, forms: profile.secretForms)
        var fields: HTTPFields = [.contentType: "application/json", .userAgent: "hr/1"]
        let instant = instant ?? fixture.clock.now()
        for header in try SignatureMaker.sign(profile: profile, id: id, at: instant, body: body, keys: [key]) {
            fields[try #require(HTTPField.Name(header.name))] = header.value
        }
        return fields
    }

    func post(
        _ body: [UInt8],
        to source: String? = nil,
        _ fields: HTTPFields,
        from address: String = "192.0.2.7"
    ) async throws -> Answer {
        var fields = fields
        fields[.xForwardedFor] = address
        let response = try await client.executeRequest(
            uri: "/hooks/" + (source ?? self.source.id.description),
            method: .post,
            headers: fields,
            body: ByteBuffer(bytes: body)
        )
        let bytes = Array(response.body.readableBytesView)
        return Answer(
            status: response.status.code,
            body: bytes.isEmpty ? .null : try JSON.parse(bytes),
            fields: response.headers
        )
    }

    /// ``body`` under these headers.
    func post(to source: String? = nil, _ fields: HTTPFields) async throws -> Answer {
        try await post(Self.body, to: source, fields)
    }

    var deliveries: Int {
        get async throws { try await fixture.number("SELECT count(*) FROM deliveries") }
    }
}

extension HTTPField.Name {
    static var xForwardedFor: HTTPField.Name { .init("X-Forwarded-For") ?? .forwarded }
    static var webhookID: HTTPField.Name { .init("webhook-id") ?? .forwarded }
    static var webhookTimestamp: HTTPField.Name { .init("webhook-timestamp") ?? .forwarded }
    static var webhookSignature: HTTPField.Name { .init("webhook-signature") ?? .forwarded }
    private static var forwarded: HTTPField.Name { .via }
}
