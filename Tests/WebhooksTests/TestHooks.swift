import Domain
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

@testable import Edge

/// The door on a database of its own, with an organization and a source.
struct TestHooks: Sendable {
    let fixture: StoreFixture
    let organization: TestOrganization
    let source: TestSource
    let tallies: RefusalTallies
    let rejected: RejectedQueue
    /// The embedded ones, and those of ``TestProfiles``.
    let profiles: [String: SigningProfile]
    private let profile: SigningProfile
    private let responder: any HTTPResponder<EdgeContext>
    private let client: any TestClientProtocol

    static let body = Array(#"{"type": "ping"}"#.utf8)

    /// `store` in place of the fixture's is what the door asks. The source has the named profile. How long an answer may
    /// wait is for a machine that is busy with other tests too.
    static func with(
        asking store: Store? = nil,
        profile name: String = "standard-webhooks",
        secret: String? = nil,
        mostOfNetwork: Int = WebhooksDoor.mostOfNetwork,
        mostWait: Duration = .seconds(90),
        on cluster: StoreCluster = .shared,
        _ body: @Sendable (TestHooks) async throws -> Void
    ) async throws {
        try await StoreFixture.with(on: cluster) { fixture in
            let store = store ?? fixture.store
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let acceptances = GroupCommit<DeliveryAcceptance>(store, name: "delivery")
            let tallies = RefusalTallies(store, logger: logger)
            let rejected = RejectedQueue(store, tallies: tallies)
            let profiles = try TestProfiles.all()
            let router = Router<EdgeContext>.edge()
            let door = WebhooksDoor(
                store: store,
                acceptances: acceptances,
                rejected: rejected,
                tallies: tallies,
                signal: WorkSignal(),
                profiles: profiles,
                publicURL: "https://rollcall.example",
                mostOfNetwork: mostOfNetwork,
                mostWait: mostWait
            )
            door.mount(on: router)
            router.closeMethods()
            let responder = router.buildResponder()
            let proxies = ProxyTrust(proxies: [try NetworkRange("127.0.0.1/32")], socketPeer: IPAddress("127.0.0.1"))
            let surroundings = EdgeSurroundings(
                clock: fixture.clock,
                randomness: fixture.randomness,
                proxies: proxies
            )
            var app = try EdgeServer.application(
                responder: EdgeResponder(responder, surroundings: surroundings),
                configuration: EdgeServer.Configuration(address: .hostname("localhost", port: 0)),
                logger: logger
            )
            app.addServices(acceptances)
            for service in door.services { app.addServices(service) }
            let organization = try await fixture.organization()
            let source = try await fixture.source(in: organization, profile: name, secret: secret)
            try await app.test(.router) { client in
                try await body(
                    TestHooks(
                        fixture: fixture,
                        organization: organization,
                        source: source,
                        tallies: tallies,
                        rejected: rejected,
                        profiles: profiles,
                        profile: try #require(profiles[name]),
                        responder: responder,
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

    /// A GET, as senders make to see whether we are there.
    func get(_ fields: HTTPFields, from address: String = "192.0.2.7") async throws -> Answer {
        var fields = fields
        fields[.xForwardedFor] = address
        let response = try await client.executeRequest(
            uri: "/hooks/" + source.id.description,
            method: .get,
            headers: fields,
            body: nil
        )
        let bytes = Array(response.body.readableBytesView)
        return Answer(
            status: response.status.code,
            body: bytes.isEmpty ? .null : try JSON.parse(bytes),
            fields: response.headers
        )
    }

    /// The door's own answer to a sender that takes its time with the body.
    func respond(to fields: HTTPFields, streaming body: AsyncStream<ByteBuffer>) async throws -> Response {
        let head = HTTPRequest(
            method: .post,
            scheme: "http",
            authority: "localhost",
            path: "/hooks/\(source.id)",
            headerFields: fields
        )
        let client = IPAddress("192.0.2.7")
        let facts = RequestFacts(
            logger: fixture.store.logger,
            requestID: fixture.store.newID(),
            trace: TraceContext(traceparents: [], randomness: fixture.randomness),
            peer: client,
            client: client,
            receivedAt: fixture.clock.now(),
            userAgent: nil
        )
        return try await responder.respond(
            to: Request(head: head, body: RequestBody(asyncSequence: body)),
            context: EdgeContext(source: facts)
        )
    }

    /// The door forgets what it knew of its sources after a second.
    func forget() async throws { try await Task.sleep(for: .milliseconds(1100)) }

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
