import API
import Domain
import Edge
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Storage
import TestSupport
import Testing
import Transparency

/// The door on a database of its own, with an organization and its two members. Every answer is held against the OpenAPI
/// document: a status or member that the document does not name fails the test that got it.
struct TestAPI: Sendable {
    let fixture: StoreFixture
    let organization: TestOrganization
    let admin: TestAccount
    let auditor: TestAccount
    private let client: any TestClientProtocol
    private let document: APIDocument

    static let publicURL = "https://rollcall.example"

    /// `reads`: from where searches and exports of the log are read, if not like everything else.
    static func with(
        on cluster: StoreCluster = .shared,
        reads: @Sendable (StoreFixture) -> Store? = { _ in nil },
        _ body: @Sendable (TestAPI) async throws -> Void
    ) async throws {
        try await StoreFixture.with(on: cluster) { fixture in
            let observations = GroupCommit<Observation>(fixture.store, name: "observation")
            let router = Router<EdgeContext>.edge()
            try door(fixture.store, observations, reads: reads(fixture)).mount(on: router)
            router.closeMethods()
            var app = try EdgeServer.application(
                responder: EdgeResponder(router.buildResponder(), surroundings: try surroundings(fixture)),
                configuration: EdgeServer.Configuration(address: .hostname("localhost", port: 0)),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            app.addServices(observations)
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let auditor = try await fixture.auditor(in: organization)
            try await app.test(.router) { client in
                let document = try await client.executeRequest(
                    uri: "/v1/openapi.json",
                    method: .get,
                    headers: [:],
                    body: nil
                )
                let api = TestAPI(
                    fixture: fixture,
                    organization: organization,
                    admin: admin,
                    auditor: auditor,
                    client: client,
                    document: APIDocument(try JSON.parse(Array(document.body.readableBytesView)))
                )
                try await body(api)
            }
        }
    }

    static func door(
        _ store: Store,
        _ observations: GroupCommit<Observation>,
        reads: Store? = nil
    ) throws -> APIDoor {
        APIDoor(
            store: store,
            observations: observations,
            auditReads: reads,
            publicURL: publicURL,
            profiles: try SigningProfile.embedded(),
            mappings: try Mapping.embedded()
        )
    }

    /// Requests come from a trusted proxy at 127.0.0.1, so that a test says who called.
    private static func surroundings(_ fixture: StoreFixture) throws -> EdgeSurroundings {
        EdgeSurroundings(
            clock: fixture.clock,
            randomness: fixture.randomness,
            proxies: ProxyTrust(proxies: [try NetworkRange("127.0.0.1/32")], socketPeer: IPAddress("127.0.0.1")),
            publicURL: publicURL
        )
    }

    struct Answer: Sendable {
        let status: Int
        let body: JSON
        let fields: HTTPFields

        var items: [JSON] { body["items"]?.array ?? [] }
        /// Pointers or parameters of a 422.
        var places: [String] {
            (body["errors"]?.array ?? []).compactMap { $0["pointer"]?.string ?? $0["parameter"]?.string }
        }
        var problem: String? { body["type"]?.string }
    }

    @discardableResult
    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSON? = nil,
        as account: TestAccount? = nil,
        bearer: String? = nil,
        from address: String = "192.0.2.10",
        fields more: HTTPFields = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        var fields = more
        fields[.authorization] = bearer ?? account?.bearer
        fields[.xForwardedFor] = address
        fields[.userAgent] = "test/1"
        if body != nil, fields[.contentType] == nil { fields[.contentType] = "application/json" }
        let response = try await client.executeRequest(
            uri: path,
            method: method,
            headers: fields,
            body: body.map { ByteBuffer(bytes: $0.bytes) }
        )
        let bytes = Array(response.body.readableBytesView)
        let answer = Answer(
            status: response.status.code,
            body: bytes.isEmpty ? .null : try JSON.parse(bytes),
            fields: response.headers
        )
        for fault in document.faults(of: answer, method: method, path: path) {
            Issue.record("\(method) \(path): \(fault)", sourceLocation: sourceLocation)
        }
        return answer
    }

    /// The status that bytes get, whatever they are and are called.
    func raw(_ path: String, _ body: String, type: String?, as account: TestAccount) async throws -> Int {
        var fields: HTTPFields = [.authorization: account.bearer, .xForwardedFor: "192.0.2.10"]
        fields[.contentType] = type
        let bytes = ByteBuffer(string: body)
        return try await client.executeRequest(uri: path, method: .post, headers: fields, body: bytes).status.code
    }

    /// An answer that is no JSON.
    func file(_ path: String, as account: TestAccount) async throws -> (status: Int, text: String, fields: HTTPFields) {
        let response = try await client.executeRequest(
            uri: path,
            method: .get,
            headers: [.authorization: account.bearer, .xForwardedFor: "192.0.2.10"],
            body: nil
        )
        return (response.status.code, String(buffer: response.body), response.headers)
    }

    func get(_ path: String, as account: TestAccount, from address: String = "192.0.2.10") async throws -> Answer {
        try await send(.get, path, as: account, from: address)
    }

    func post(_ path: String, _ body: JSON? = nil, as account: TestAccount, key: String? = nil) async throws -> Answer {
        var fields = HTTPFields()
        fields[.idempotencyKey] = key
        return try await send(.post, path, body, as: account, fields: fields)
    }

    func patch(_ path: String, _ body: JSON, tag: String?, as account: TestAccount) async throws -> Answer {
        var fields: HTTPFields = [.contentType: "application/merge-patch+json"]
        fields[.ifMatch] = tag
        return try await send(.patch, path, body, as: account, fields: fields)
    }

    /// The last entry of that action.
    func entry(_ action: ActionCode) async throws -> JSON {
        try #require(try await fixture.leaves(in: organization.id, action: action).last)
    }
}
