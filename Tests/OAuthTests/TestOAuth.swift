import Domain
import Edge
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import OAuth
import Outbound
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// The door on a database of its own, with an organization, its admin, and one grant whose secret was claimed.
struct TestOAuth: Sendable {
    let fixture: StoreFixture
    let organization: TestOrganization
    let admin: TestAccount
    let integration: IntegrationID
    let user: UserID
    let grant: GrantID
    let secret: OpaqueSecret
    private var client: any TestClientProtocol

    static let issuer = "https://rollcall.example"

    static func with(
        scopes: ScopeSet = ScopeSet([.peopleRead, .peopleReadSelf, .tokensIntrospect]),
        ipAllowList: [String]? = ["192.0.2.0/24"],
        outbound: OutboundClient = OutboundClient(policy: .operatorChosen),
        rates: CallerLimits.Rates = .init(),
        outsiders: OutsideClients = OutsideClients(),
        _ body: @Sendable (TestOAuth) async throws -> Void
    ) async throws {
        try await StoreFixture.with { fixture in
            let app = try application(fixture, outbound: outbound, rates: rates, outsiders: outsiders)
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let integration = try await fixture.integration(in: organization, scopes: scopes)
            let user = try await fixture.integrationUser(of: integration, in: organization, custodian: admin.user)
            let grant = try await fixture.grant(to: user, in: organization, scopes: scopes, ipAllowList: ipAllowList)
            let secret = try await fixture.claimedSecret(of: grant, in: organization, by: admin)
            try await app.test(.router) { client in
                try await body(
                    TestOAuth(
                        fixture: fixture,
                        organization: organization,
                        admin: admin,
                        integration: integration,
                        user: user,
                        grant: grant,
                        secret: secret,
                        client: client
                    )
                )
            }
        }
    }

    /// Another node on the same database.
    func other(outsiders: OutsideClients, _ body: @Sendable (TestOAuth) async throws -> Void) async throws {
        let app = try Self.application(fixture, outbound: OutboundClient(policy: .operatorChosen), outsiders: outsiders)
        try await app.test(.router) { client in
            var there = self
            there.client = client
            try await body(there)
        }
    }

    private static func application(
        _ fixture: StoreFixture,
        outbound: OutboundClient,
        rates: CallerLimits.Rates = .init(),
        outsiders: OutsideClients
    ) throws -> some ApplicationProtocol {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let issues = GroupCommit<TokenIssue>(fixture.store, name: "token")
        let observations = GroupCommit<Observation>(fixture.store, name: "observation")
        let router = Router<EdgeContext>.edge()
        try OAuthDoor(
            store: fixture.store,
            issues: issues,
            observations: observations,
            tallies: RefusalTallies(fixture.store, logger: logger),
            outbound: outbound,
            issuer: issuer,
            hashing: try PasswordHashing(cost: .cheap, randomness: fixture.randomness),
            limits: CallerLimits(rates),
            tokenKeys: TokenKeys(fixture.store),
            outsiders: outsiders
        ).mount(on: router)
        router.closeMethods()
        let proxies = ProxyTrust(proxies: [try NetworkRange("127.0.0.1/32")], socketPeer: IPAddress("127.0.0.1"))
        let surroundings = EdgeSurroundings(
            clock: fixture.clock,
            randomness: fixture.randomness,
            proxies: proxies,
            faults: FaultReader { error in
                (error as? PostgresError)?.isTransient == true ? .unavailable(retryAfterSeconds: 2) : nil
            },
            publicURL: issuer,
            errorForms: [OAuthDoor.errorForm]
        )
        var app = try EdgeServer.application(
            responder: EdgeResponder(router.buildResponder(), surroundings: surroundings),
            configuration: EdgeServer.Configuration(address: .hostname("localhost", port: 0)),
            logger: logger
        )
        app.addServices(issues, observations)
        return app
    }

    struct Answer: Sendable {
        let status: Int
        let text: String
        let fields: HTTPFields
        let body: JSON

        var error: String? { body["error"]?.string }
    }

    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String = "",
        from address: String = "192.0.2.10",
        fields: HTTPFields = [:]
    ) async throws -> Answer {
        var fields = fields
        fields[.forwardedFor] = address
        let response = try await client.executeRequest(
            uri: path,
            method: method,
            headers: fields,
            body: ByteBuffer(string: body)
        )
        let text = String(buffer: response.body)
        let isJSON = response.headers[.contentType]?.contains("json") ?? false
        return Answer(
            status: response.status.code,
            text: text,
            fields: response.headers,
            body: isJSON ? try JSON.parse(Array(text.utf8)) : .null
        )
    }

    /// A form; `basic` is what stands before and behind the colon.
    func form(
        _ path: String,
        _ members: [(String, String)],
        basic: (String, String)? = nil,
        bearer: String? = nil,
        from address: String = "192.0.2.10"
    ) async throws -> Answer {
        var fields: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        if let basic { fields[.authorization] = "Basic " + Base64.standard.encode(Array("\(basic.0):\(basic.1)".utf8)) }
        if let bearer { fields[.authorization] = bearer }
        let body = members.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        return try await send(.post, path, body, from: address, fields: fields)
    }

    /// A token by RFC 6749 4.4, the client in the body.
    func token(_ more: [(String, String)] = [], from address: String = "192.0.2.10") async throws -> Answer {
        try await form("/oauth/token", [("grant_type", "client_credentials")] + posted + more, from: address)
    }

    var posted: [(String, String)] { [("client_id", grant.description), ("client_secret", secret.reveal())] }
    var basic: (String, String) { (grant.description, secret.reveal()) }

    func accessToken() async throws -> String { try #require(try await token().body["access_token"]?.string) }

    /// The only entry of that action since `count` of them.
    func entries(_ action: ActionCode) async throws -> [JSON] {
        try await fixture.leaves(in: organization.id, action: action)
    }
}

extension HTTPField.Name {
    static var forwardedFor: HTTPField.Name { .init("X-Forwarded-For") ?? .via }
    static var fetchSite: HTTPField.Name { .init("Sec-Fetch-Site") ?? .via }
}
