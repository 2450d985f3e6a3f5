import Crypto
import Foundation

/// Rollcall on a database of its own, with one organization, its admin, and what is added.
struct System {
    let cluster: Cluster
    let program: String
    let log: String
    let database: String
    let organization: String
    let admin: String
    private let keyring: String
    private let checkpointKey: String
    private let checkpointCopies: String
    private(set) var port = 0
    private(set) var server: ChildProcess?
    /// Milliseconds from the start of the last `serve` until it was ready.
    private(set) var readyAfter: Double = 0

    private static let keyringFile = "keyring"

    init(cluster: Cluster, program: String, scratch: String) throws {
        self.cluster = cluster
        self.program = program
        log = scratch + "/rollcall.log"
        database = "bench_\(UInt32.random(in: 0...UInt32.max))"
        keyring = scratch + "/" + Self.keyringFile
        if !FileManager.default.fileExists(atPath: keyring) {
            try ChildProcess.output(of: program, ["keys", "generate", "--id", "bench"], log: log)
                .write(toFile: keyring, atomically: true, encoding: .utf8)
        }
        checkpointKey = scratch + "/checkpoint-key"
        checkpointCopies = scratch + "/checkpoints-" + database
        if !FileManager.default.fileExists(atPath: checkpointKey) {
            try ChildProcess.output(of: program, ["keys", "checkpoint"], log: log)
                .write(toFile: checkpointKey, atomically: true, encoding: .utf8)
        }
        try FileManager.default.createDirectory(atPath: checkpointCopies, withIntermediateDirectories: true)
        try cluster.createDatabase(database)
        let environment = [
            "ROLLCALL_DATABASE_DIRECT_URL": cluster.url(database, as: Cluster.owner),
            "ROLLCALL_KEYRING_FILE": keyring,
        ]
        let (program, log) = (program, log)
        func rollcall(_ arguments: String...) throws -> [String: String] {
            let text = try ChildProcess.output(of: program, arguments, environment: environment, log: log)
            // Other values than texts are of no use here.
            return (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
        }
        _ = try rollcall("migrate", "up")
        let made = try rollcall("admin", "organization", "create", "--slug", "acme", "--name", "Acme", "-o", "json")
        let account = try rollcall(
            "admin",
            "bootstrap",
            "--organization",
            "acme",
            "--username",
            "admin@acme.example",
            "-o",
            "json"
        )
        guard let organization = made["id"], let admin = account["token"] else {
            throw ChildError.failed("rollcall admin", log: log)
        }
        self.organization = organization
        self.admin = admin
    }

    // MARK: Serving

    /// Starts the server with these roles, after ending the one that runs; returns when it is ready.
    mutating func serve(roles: String) throws {
        server?.end()
        port = try FreePort.take()
        let began = Date()
        server = try start(roles: roles, at: port)
        readyAfter = Date().timeIntervalSince(began) * 1000
    }

    /// Another server on the same database, ready.
    func beside(roles: String) throws -> (process: ChildProcess, port: Int) {
        let port = try FreePort.take()
        return (try start(roles: roles, at: port), port)
    }

    private func start(roles: String, at port: Int) throws -> ChildProcess {
        let began = Date()
        let child = try ChildProcess(
            program,
            ["serve"],
            environment: [
                "ROLLCALL_DATABASE_URL": cluster.url(database, as: Cluster.service),
                "ROLLCALL_DATABASE_DIRECT_URL": cluster.url(database, as: Cluster.owner),
                "ROLLCALL_KEYRING_FILE": keyring,
                "ROLLCALL_CHECKPOINT_KEY_FILE": checkpointKey,
                "ROLLCALL_CHECKPOINT_COPIES": checkpointCopies,
                "ROLLCALL_PUBLIC_URL": "http://127.0.0.1:\(self.port)",
                "ROLLCALL_BIND": "127.0.0.1:\(port)",
                "ROLLCALL_METRICS_BIND": "off",
                "ROLLCALL_PROXY_CREDENTIALS": "bench * \(HTTP.proxySecret)",
                "ROLLCALL_RATE_PER_ADDRESS": "off",
                "ROLLCALL_RATE_PER_CLIENT": "off",
                "ROLLCALL_RATE_OF_CHECKS": "off",
                "ROLLCALL_ROLES": roles,
                "ROLLCALL_LOG_LEVEL": "warning",
            ],
            log: log
        )
        while Date().timeIntervalSince(began) < ChildProcess.patience {
            guard child.isRunning else { throw ChildError.notReady("rollcall serve", log: log) }
            // Refused until it listens.
            if let answer = try? Load.once(port: port, HTTP.get("/readyz")), answer.status == 200 {
                return child
            }
            Thread.sleep(forTimeInterval: 0.01)
        }
        child.end()
        throw ChildError.notReady("rollcall serve", log: log)
    }

    /// Ends the server and drops the database.
    mutating func remove() {
        server?.end()
        server = nil
        // What is left of a failed drop goes with the cluster.
        try? cluster.dropDatabase(database)
    }

    func query(_ statement: String) throws -> String { try cluster.query(statement, in: database) }

    // MARK: Seeds

    /// A `standard-webhooks` source, made as an admin makes one.
    func source() throws -> Sender {
        let secret = Data((0..<32).map { _ in UInt8.random(in: 0...255) })
        let body = """
            {"slug": "hr", "profile": "standard-webhooks", "mapping": "canonical",
             "keys": [{"secret": "whsec_\(secret.base64EncodedString())"}]}
            """
        let request = HTTP.post("/v1/sources", body: body, type: "application/json", bearer: admin)
        let answer = try Load.once(port: port, request)
        struct Made: Decodable { let id: String }
        guard answer.status == 201 || answer.status == 200 else {
            throw ChildError.unexpected("POST /v1/sources: \(String(decoding: answer.body, as: UTF8.self))")
        }
        let made = try JSONDecoder().decode(Made.self, from: Data(answer.body))
        return Sender(path: "/hooks/\(made.id)", key: SymmetricKey(data: secret))
    }

    /// Integrations whose rule matches every joiner.
    func integrations(_ count: Int) throws {
        _ = try query(
            """
            INSERT INTO integrations (organization_id, id, slug, name, contact_email, workspace_id, scopes, rule,
                grant_lifetime, status, created_at, updated_at)
            SELECT w.organization_id, gen_random_uuid(), 'crm-' || n, 'CRM ' || n, 'crm@example.com', w.id,
                '{people:read.self}', 'department eq "Finance"', 'P90D', 'active', now(), now()
            FROM workspaces w, generate_series(1, \(count)) n
            """
        )
    }

    /// A grant of a user of an integration, whose secret is known: the client of the token figures.
    func client(named username: String = "crm.robot") throws -> (id: String, secret: String) {
        let line = try String(contentsOfFile: keyring, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        guard line.count == 2, let material = Data(base64Encoded: String(line[1])) else {
            throw ChildError.unexpected("the keyring is not one line of id and key")
        }
        let secret = ClientSecret.make()
        let digest = ClientSecret.digest(of: secret, under: material).map { String(format: "%02x", $0) }.joined()
        let id = UUID()
        if try query("SELECT count(*) FROM integrations") == "0" { try integrations(1) }
        _ = try query(
            """
            WITH made AS (
                INSERT INTO users (organization_id, id, kind, role, username, integration_id, status, created_at,
                    updated_at)
                SELECT organization_id, gen_random_uuid(), 'integration', 'integration', '\(username)', id, 'active',
                    now(), now()
                FROM integrations LIMIT 1
                RETURNING organization_id, id, integration_id), granted AS (
                INSERT INTO grants (organization_id, id, user_id, client_name, workspace_id, scopes, expires_at, status,
                    created_at, updated_at)
                SELECT m.organization_id, '\(id.uuidString)', m.id, 'CRM', i.workspace_id, i.scopes,
                    now() + interval '90 days', 'active', now(), now()
                FROM made m JOIN integrations i ON i.id = m.integration_id
                RETURNING organization_id, id)
            INSERT INTO grant_secrets (organization_id, id, grant_id, digest, made_at)
            SELECT organization_id, gen_random_uuid(), id, '\\x\(digest)', now() FROM granted
            """
        )
        return (TypeID.text("grt", id), secret)
    }
}
