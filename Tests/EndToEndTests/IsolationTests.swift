import HTTPTypes
import Postgres
import Testing
import Transparency

extension EndToEnd {
    /// Two organizations that know nothing of each other.
    @Suite struct Isolation {
        @Test func `every operation answers for ids of another organization as for unknown ids`() async throws {
            try await Development.with("isolation") { development in
                let strangers = try await Inhabited(in: "globex", development)
                _ = try await Inhabited(in: "acme", development)
                let crawl = Crawl(
                    operations: try await Operation.all(of: development.bearer(nil)),
                    mine: development.admin("acme"),
                    theirs: development.admin("globex"),
                    strangers: strangers
                )
                // Lists first: what is asked for later is told in the log of those who asked.
                let lists = try await crawl.lists()
                let asked = try await crawl.paths()
                let bodies = try await crawl.bodies()
                print("Isolation: \(asked) paths, \(lists) lists and \(bodies) bodies of the crawl")
                try await tokens(of: strangers, development)
                try await emptyForNobody(development)
            }
        }

        /// Introspecting and revoking tell nothing of a token of another organization.
        private func tokens(of strangers: Inhabited, _ development: Development) async throws {
            let unknown = "rca_" + String(strangers.client.token.dropFirst(4).reversed())
            for path in ["/oauth/introspect", "/oauth/revoke"] {
                let admin = development.admin("acme")
                let theirs = try await admin.form(path, [("token", strangers.client.token)])
                let nobodys = try await admin.form(path, [("token", unknown)])
                #expect(theirs.seen == nobodys.seen, "\(path)")
                #expect(path != "/oauth/introspect" || theirs.json["active"]?.bool == false)
            }
            let people = try await development.bearer(strangers.client.token).get("/v1/people")
            #expect(people.status == 200, "and the token of the other is as good as before")
        }

        private func emptyForNobody(_ development: Development) async throws {
            let tables = try await development.texts(
                """
                SELECT relname::text AS t FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1
                """
            )
            #expect(tables.count > 20)
            let connection = try await PostgresConnection.connect(to: development.serviceDatabaseURL)
            var inhabited = 0
            for table in tables {
                let name = try #require(PostgresIdentifier(table))
                let all = try await development.number("SELECT count(*) AS n FROM \(identifier: name)")
                do {
                    let row = try await connection.query("SELECT count(*) AS n FROM \(identifier: name)").first
                    let seen = try #require(row).decode("n", as: Int64.self)
                    #expect(seen == 0, "\(table) shows rows to the service role when no organization is set")
                    if all > 0 { inhabited += 1 }
                } catch let error as PostgresError {
                    #expect(error.sqlState?.rawValue == "42501", "\(table): \(error)")
                }
            }
            await connection.close()
            #expect(inhabited >= 14, "the tables that show nothing are not empty")
        }
    }

    /// An organization with something of each kind in it.
    struct Inhabited: Sendable {
        let client: Story.Client
        /// Every id that a list of it shows, by the letters before its underscore.
        let ids: [String: Set<String>]

        init(in slug: String, _ development: Development) async throws {
            let (_, grant) = try await Story.join("i-1", userName: "ada@\(slug).example", development, in: slug)
            client = try await Story.claim(grant, development, in: slug)
            let sender = development.sender(slug)
            _ = try await sender.post(Array("[]".utf8))
            _ = try await sender.post(Array("{}".utf8), secret: "whsec_dGhlIGtleSBvZiBzb21lYm9keSBlbHNl")
            _ = try await development.settle()
            let admin = development.admin(slug)
            while try await admin.get("/v1/rejected-requests").items.isEmpty {
                try await Task.sleep(for: .milliseconds(50))
            }
            // What takes a second admin back has to wait for one.
            for (version, approvals) in [("\"v1\"", ["grant_with_write_scope"]), ("\"v2\"", [])] as [(String, JSON)] {
                let change: JSON = ["approvals": approvals]
                _ = try await admin.send(
                    .patch,
                    "/v1/organization",
                    headers: [.contentType: "application/merge-patch+json", .ifMatch: version],
                    body: change.bytes
                )
            }
            var ids: [String: Set<String>] = [:]
            let operations = try await Operation.all(of: admin)
            let made: Set = ["/v1/apps", "/v1/audit/queries", "/v1/holds"]
            for operation in operations where operation.method == .post && made.contains(operation.path) {
                _ = try await operation.send(as: admin, to: operation.path)
            }
            for operation in operations where operation.isList {
                for item in try await admin.get(operation.path + "?limit=200").items { item.collect(&ids) }
            }
            self.ids = ids
        }

        var all: [String] { ids.values.flatMap(\.self).sorted() }
    }

    /// One of the operations that the OpenAPI document names.
    struct Operation: Sendable {
        let method: HTTPRequest.Method
        let path: String
        let example: JSON?
        let isPatch: Bool

        var isList: Bool { method == .get && !path.contains("{") && path != "/v1/openapi.json" && path != "/v1/whoami" }

        static func all(of anyone: Bearer) async throws -> [Operation] {
            let document = try await anyone.get("/v1/openapi.json").json
            var all: [Operation] = []
            for (path, methods) in document["paths"]?.object?.members ?? [] {
                for (name, operation) in methods.object?.members ?? [] {
                    guard let method = HTTPRequest.Method(name.uppercased()) else { continue }
                    let content = operation[pointer: "/requestBody/content"]?.object?.members.first
                    let reference = content?.value[pointer: "/schema/$ref"]?.string?.dropFirst()
                    let schema = reference.flatMap { document[pointer: String($0)] } ?? content?.value["schema"]
                    let example = schema?[pointer: "/examples/0"]
                    all.append(
                        Operation(
                            method: method,
                            path: path,
                            example: content == nil ? nil : example ?? [:],
                            isPatch: method == .patch
                        )
                    )
                }
            }
            return all
        }

        func send(as caller: Bearer, to path: String, body: JSON? = nil) async throws -> Answer {
            var headers: HTTPFields = [:]
            let body = body ?? example
            if body != nil { headers[.contentType] = isPatch ? "application/merge-patch+json" : "application/json" }
            if method == .patch || method == .delete { headers[.ifMatch] = "\"v1\"" }
            return try await caller.send(method, path, headers: headers, body: body?.bytes ?? [])
        }
    }

    /// Every operation with every id of the others, and with one that nobody has.
    struct Crawl {
        let operations: [Operation]
        let mine: Bearer
        let theirs: Bearer
        let strangers: Inhabited

        /// Ids in paths. How many were compared.
        func paths() async throws -> Int {
            var asked = 0
            var reached: Set<String> = []
            let key = try #require(strangers.ids["key"]?.min())
            let organization = try await theirs.get("/v1/whoami").json[pointer: "/organization/id"]?.string
            let organizations = [try #require(organization)]
            // The root log is everybody's, and names nobody.
            let walled = operations.filter { $0.path != "/v1/audit/root/{file}" }
            let root = try await mine.get("/v1/audit/root/checkpoint")
            #expect(root.status != 200 || !root.text.contains("org_"))
            for operation in walled where operation.path.contains("{") {
                for id in operation.path.contains("{organization}") ? organizations : strangers.all {
                    let path = operation.path.filling(id, inside: key)
                    let answer = try await operation.send(as: mine, to: path)
                    let unknown = try await operation.send(
                        as: mine,
                        to: operation.path.filling(
                            id.unknownSibling,
                            inside: key.unknownSibling
                        )
                    )
                    #expect(answer.seen == unknown.seen, "\(operation.method) \(path)")
                    #expect((400..<500).contains(answer.status), "\(operation.method) \(path): \(answer.status)")
                    asked += 1
                    guard operation.method == .get else { continue }
                    let own = try await operation.send(as: theirs, to: path)
                    if own.status == 200 { reached.insert(operation.path) }
                }
            }
            let readable = Set(walled.filter { $0.method == .get && $0.path.contains("{") }.map(\.path))
            #expect(reached == readable, "the crawl holds an id for: \(readable.subtracting(reached))")
            return asked
        }

        /// Lists: nothing of theirs in mine, whatever is asked for and wherever the cursor comes from.
        func lists() async throws -> Int {
            var asked = 0
            for operation in operations where operation.isList {
                let page = try await theirs.get(operation.path + "?limit=1")
                var queries = ["?limit=200"]
                if let cursor = page.json["next_cursor"]?.string { queries.append("?limit=200&cursor=\(cursor)") }
                for query in queries {
                    let answer = try await mine.get(operation.path + query)
                    let leaked = strangers.all.filter { answer.text.contains($0) }
                    #expect(leaked.isEmpty, "\(operation.path)\(query)")
                    asked += 1
                }
            }
            for path in [
                "/v1/audit/search?limit=200&mode=tail", "/v1/audit/search?limit=200&mode=range",
                "/v1/audit/export?format=ndjson",
            ] {
                var queries = [path]
                if let cursor = try await theirs.get(path).json["next_cursor"]?.string {
                    queries.append(path + "&cursor=\(cursor)")
                }
                for query in queries {
                    let answer = try await mine.get(query)
                    let leaked = strangers.all.filter { answer.text.contains($0) }
                    #expect(leaked.isEmpty, "\(query)")
                    asked += 1
                }
            }
            for parameter in ["actor", "target", "person"] {
                for id in strangers.all where parameter != "person" || id.hasPrefix("per_") {
                    let path = "/v1/audit/entries?\(parameter)="
                    let answer = try await mine.get(path + id)
                    let unknown = try await mine.get(path + id.unknownSibling)
                    #expect(answer.items.isEmpty && answer.seen == unknown.seen, "\(path)\(id)")
                    asked += 1
                }
            }
            return asked
        }

        /// Ids in bodies of what creates.
        func bodies() async throws -> Int {
            let theirs = strangers.ids
            func one(_ kind: String) -> String { theirs[kind]?.min() ?? "" }
            let integration: JSON = [
                "slug": "x", "name": "X", "contact_email": "x@example.com", "workspace": "main",
                "scopes": ["people:read"], "rule": nil, "grant_lifetime": "P1D", "ip_allow_list": nil,
            ]
            let user: JSON = [
                "kind": "integration", "integration": "payroll", "username": "x.batch",
                "custodian": .string(one("usr")),
            ]
            let grant: JSON = [
                "client_name": "X", "workspace": .string(one("wsp")), "username": "payroll.ada@acme.example",
                "expires_at": "2036-01-01T00:00:00Z", "scopes": ["people:read"], "ip_allow_list": nil,
            ]
            let wanted: [(path: String, member: String, kind: String, body: JSON)] = [
                ("/v1/integrations", "workspace", "wsp", integration),
                ("/v1/integrations", "custodian", "usr", integration),
                ("/v1/users", "integration", "int", user),
                ("/v1/users", "custodian", "usr", user),
                ("/v1/grants", "workspace", "wsp", grant),
            ]
            var asked = 0
            for (path, member, kind, body) in wanted {
                for id in theirs[kind] ?? [] {
                    let answer = try await mine.post(path, body.setting(member, .string(id)))
                    let unknown = try await mine.post(path, body.setting(member, .string(id.unknownSibling)))
                    #expect(answer.seen == unknown.seen, "\(path) \(member)")
                    #expect((400..<500).contains(answer.status), "\(path) \(member): \(answer.text)")
                    asked += 1
                }
            }
            return asked
        }
    }
}

extension Answer {
    /// All that a caller sees of it, but for what no two answers have in common.
    fileprivate var seen: [String] {
        // A connection ends after a number of requests, whatever they ask for.
        let varying = ["connection", "date", "x-request-id", "request-id", "traceresponse", "traceparent"]
        let fields = headers.filter { !varying.contains($0.name.canonicalName) }
            .map { "\($0.name.canonicalName): \($0.value)" }.sorted()
        guard var body = json.object else { return ["\(status)"] + fields + [text] }
        body["request_id"] = nil
        return ["\(status)"] + fields + [String(decoding: JSON.object(body).bytes, as: UTF8.self)]
    }
}

extension String {
    /// A path with its one name in braces replaced.
    /// `key` stands for a thing inside of the one that `id` names, where the path names both; the one file of a log that there
    /// always is stands for all.
    fileprivate func filling(_ id: String, inside key: String) -> String {
        let filled = replacing("{key}", with: key).replacing("{file}", with: "checkpoint")
        guard let open = filled.firstIndex(of: "{"), let close = filled.firstIndex(of: "}") else { return filled }
        return String(filled[..<open] + id + filled[filled.index(after: close)...]).filling(id, inside: key)
    }

    /// An id of the same kind that nobody has: the last ten characters turned round.
    fileprivate var unknownSibling: String {
        let turned = String(suffix(10).reversed())
        return dropLast(10) + (turned == suffix(10) ? "0123456789" : turned)
    }
}

extension JSON {
    fileprivate func setting(_ member: String, _ value: JSON) -> JSON {
        guard var object else { return self }
        object[member] = value
        return .object(object)
    }

    /// Every TypeID anywhere in it that is the id of a thing, not of a passing request.
    fileprivate func collect(_ ids: inout [String: Set<String>]) {
        switch self {
        case .string(let text):
            let parts = text.split(separator: "_", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[1].utf8.count == 26, parts[0].utf8.count < 5,
                !["req", "org"].contains(parts[0])
            else { return }
            ids[String(parts[0]), default: []].insert(text)
        case .array(let elements): for element in elements { element.collect(&ids) }
        case .object(let object): for member in object.members { member.value.collect(&ids) }
        default: return
        }
    }
}
