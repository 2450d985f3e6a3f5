import Domain
import Foundation
import HTTPTypes
import Logging
import Outbound
import Postgres
import ServiceLifecycle
import Storage
import Transparency

/// Waits for the doors, seeds what a new home needs, announces that it is ready, and withdraws nothing: that is its
/// server's to do.
///
/// Organizations and their first accounts are made as an operator makes them; sources and integrations through the API,
/// as an admin does.
struct DevelopmentSeeding: Service {
    let home: DevelopmentDirectory
    let baseURL: String
    /// The owner's.
    let databaseURL: String
    let keyring: Keyring
    let running: AsyncStream<Int>
    let logger: Logger
    let stopsAfterReady: Bool
    let onReady: @Sendable (JSON) async throws -> Void

    /// Accounts of a development home do not run out under a developer's hands.
    static let tokenLifetime = Duration.seconds(3650 * 86_400)
    /// How long the logs of new organizations are waited for: the turn to sequence may be a killed process's for a moment.
    private static let logPatience = Duration.seconds(10)
    private static let logPause = Duration.milliseconds(20)

    func run() async throws {
        for await _ in running.cancelOnGracefulShutdown() {
            let pool = PostgresPool(
                configuration: PostgresPoolConfiguration(connection: .init(connectionString: databaseURL), size: 2),
                logger: logger
            )
            let store = Store(
                pool: pool,
                keyring: keyring,
                clock: SystemClock(),
                randomness: SystemRandomness(),
                logger: logger
            )
            var organizations: [JSON] = []
            for organization in try await self.organizations(in: store) {
                organizations.append(try await withLog(organization, in: store))
            }
            await pool.close()
            let document: JSON = [
                "base_url": .string(baseURL),
                "database_url": .string(databaseURL),
                "pid": .integer(ProcessInfo.processInfo.processIdentifier),
                "organizations": .array(organizations),
            ]
            try home.announce(document)
            try await onReady(document)
        }
        // A service that returns ends its group.
        if !stopsAfterReady { try await gracefulShutdown() }
    }

    /// What was seeded: by an earlier start, or now.
    private func organizations(in store: Store) async throws -> [JSON] {
        if let seeded = home.seed?["organizations"]?.array { return seeded.map { Self.moved($0, to: baseURL) } }
        var organizations: [JSON] = []
        for (slug, name) in [("acme", "Acme"), ("globex", "Globex")] {
            organizations.append(try await organization(slug: slug, name: name, in: store))
        }
        try home.keep(seed: ["organizations": .array(organizations)])
        return organizations
    }

    private func organization(slug text: String, name: String, in store: Store) async throws -> JSON {
        guard let slug = Slug(text) else { throw DevelopmentError.homeUnusable(home.path) }
        let known = try await store.organization(slug: slug)
        let id: OrganizationID
        if let known { id = known } else { id = try await store.createOrganization(slug: slug, name: name) }
        let admin = try await admit(.securityAdmin, "admin", slug, id, in: store)
        let auditor = try await admit(.auditor, "auditor", slug, id, in: store)
        let client = SeedClient(baseURL: baseURL, token: admin.token)
        return [
            "slug": .string(text),
            "id": .string(id.description),
            "admin_token": .string(admin.token),
            "admin_username": .string(admin.username),
            "admin_password": .string(try await password(for: admin.user, in: id, store)),
            "auditor_token": .string(auditor.token),
            "sources": [try await source(client, in: store)],
            "integrations": .array(try await integrations(client)),
        ]
    }

    /// A start that was cut short may have made the account and lost its token: then there is another account.
    private func admit(
        _ role: Role,
        _ name: String,
        _ slug: Slug,
        _ organization: OrganizationID,
        in store: Store
    ) async throws -> (user: UserID, username: String, token: String) {
        for attempt in 1...9 {
            let username = "\(name)\(attempt == 1 ? "" : String(attempt))@\(slug).example"
            let bootstrap = AdminBootstrap(
                username: username,
                role: role,
                lifetime: Self.tokenLifetime,
                force: true,
                by: Attribution(actor: .system("operator"), receivedAt: store.clock.now()),
                in: store
            )
            do {
                let admitted = try await store.perform(bootstrap, in: organization)
                return (admitted.user, username, admitted.secret.reveal())
            } catch OrganizationRefusal.usernameTaken {
                continue
            }
        }
        throw OrganizationRefusal.usernameTaken
    }

    /// What the account signs in with in a browser: set by a link, as a member sets it.
    private func password(for user: UserID, in organization: OrganizationID, _ store: Store) async throws -> String {
        let text = Base64.url.encode(store.randomness.bytes(18))
        guard let password = Password(typed: text) else { throw DevelopmentError.homeUnusable(home.path) }
        let attribution = Attribution(actor: .system("operator"), receivedAt: store.clock.now())
        let creation = PasswordLinkCreation(for: user, by: .systemOperator, attribution, in: store)
        let link = try await store.perform(creation, in: organization)
        let hash = try PasswordHash(of: password, using: store.randomness)
        guard try await store.setPassword(hash, by: link.secret, from: .init()) else {
            throw DevelopmentError.seedRefused("The link that was just made", status: 404)
        }
        return text
    }

    private func source(_ client: SeedClient, in store: Store) async throws -> JSON {
        let secret = "whsec_" + Base64.standard.encode(store.randomness.bytes(32))
        let made: JSON
        if let known = try await client.find("/v1/sources", slug: "hris") {
            let path = "/v1/sources/\(known["id"]?.string ?? "")/keys"
            _ = try await client.post(path, ["secret": .string(secret)])
            made = known
        } else {
            made = try await client.post(
                "/v1/sources",
                [
                    "slug": "hris", "profile": "standard-webhooks", "mapping": "canonical", "time_zone": "UTC",
                    "keys": [["secret": .string(secret), "label": "development"]],
                ]
            )
        }
        return [
            "slug": "hris",
            "id": made["id"] ?? .null,
            "url": made["url"] ?? .null,
            "profile": "standard-webhooks",
            "secret": .string(secret),
        ]
    }

    private func integrations(_ client: SeedClient) async throws -> [JSON] {
        let wanted: [JSON] = [
            [
                "slug": "payroll", "name": "Payroll", "description": "Reads the people that it pays",
                "contact_email": "payroll@example.com", "workspace": "main", "scopes": ["people:read"],
                "rule": #"department eq "Finance""#, "grant_lifetime": "P90D",
                "ip_allow_list": ["127.0.0.0/8", "::1/128"],
            ],
            [
                "slug": "badges", "name": "Badges", "description": "Prints a badge for each manager's report",
                "contact_email": "badges@example.com", "workspace": "main", "scopes": ["people:read.self"],
                "rule": #"manager pr and title sw "Field""#, "grant_lifetime": "P30D", "ip_allow_list": nil,
            ],
        ]
        var made: [JSON] = []
        for integration in wanted {
            let slug = integration["slug"]?.string ?? ""
            let known = try await client.find("/v1/integrations", slug: slug)
            let row: JSON
            if let known { row = known } else { row = try await client.post("/v1/integrations", integration) }
            made.append(["slug": .string(slug), "id": row["id"] ?? .null])
        }
        return made
    }

    /// With where its log stands: which one it is, and whom to believe about it. Null where nothing leads it.
    private func withLog(_ organization: JSON, in store: Store) async throws -> JSON {
        guard var object = organization.object, let id = object["id"]?.string.flatMap(OrganizationID.init) else {
            return organization
        }
        object["audit"] = .null
        let deadline = ContinuousClock.now + Self.logPatience
        while ContinuousClock.now < deadline {
            if let log = try await store.read(as: id, { try await $0.log() }), let key = log.verifierKeys.first {
                object["audit"] = ["origin": .string(log.origin), "vkey": .string(key)]
                break
            }
            try await Task.sleep(for: Self.logPause)
        }
        return .object(object)
    }

    /// The hooks of an earlier start, at the address of this one.
    private static func moved(_ organization: JSON, to baseURL: String) -> JSON {
        guard var object = organization.object else { return organization }
        let sources = (object["sources"]?.array ?? []).map { source -> JSON in
            guard var source = source.object, let id = source["id"]?.string else { return source }
            source["url"] = .string("\(baseURL)/hooks/\(id)")
            return .object(source)
        }
        object["sources"] = .array(sources)
        return .object(object)
    }
}

/// An admin's way to the API, for seeding.
private struct SeedClient: Sendable {
    let baseURL: String
    let token: String
    private let outbound = OutboundClient(policy: .operatorChosen)

    init(baseURL: String, token: String) {
        self.baseURL = baseURL
        self.token = token
    }

    func post(_ path: String, _ body: JSON) async throws -> JSON {
        try await send(.post, path, body: body.bytes)
    }

    /// The first page holds everything that a seed made.
    func find(_ path: String, slug: String) async throws -> JSON? {
        try await send(.get, path, body: [])["items"]?.array?.first { $0["slug"]?.string == slug }
    }

    private func send(_ method: HTTPRequest.Method, _ path: String, body: [UInt8]) async throws -> JSON {
        let response = try await outbound.send(
            OutboundRequest(
                method: method,
                url: baseURL + path,
                headers: [.authorization: "Bearer \(token)", .contentType: "application/json"],
                body: body
            )
        )
        guard response.status.kind == .successful else {
            throw DevelopmentError.seedRefused("\(method) \(path)", status: response.status.code)
        }
        return try JSON.parse(response.body)
    }
}
