import Domain
import Logging
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

/// Searches and exports over a streaming replica: complete as far as it is, told on the primary, and nobody else's trouble
/// when it is gone.
@Suite struct AuditReplicaTests {
    @Test func `a replica is read, and the entries of that are on the primary`() async throws {
        let cluster = StoreCluster.own()
        let primary = try await cluster.server()
        let replica = try await cluster.replica()
        let homes = try (
            #require("\(primary.home)".split(separator: "/").last),
            #require("\(replica.home)".split(separator: "/").last)
        )
        let reads: @Sendable (StoreFixture) -> Store? = { fixture in
            let there = fixture.serviceConnectionString.replacing("\(homes.0)%2F", with: "\(homes.1)%2F")
            let logger = Logger(label: "pool", factory: { _ in SwiftLogNoOpLogHandler() })
            let connection = PostgresConnectionConfiguration(connectionString: there)
            return fixture.store.reading(
                PostgresPool(
                    configuration: PostgresPoolConfiguration(connection: connection, size: 2, minimum: 0),
                    logger: logger
                )
            )
        }
        try await TestAPI.with(on: cluster, reads: reads) { api in
            let administrator = try await PostgresConnection.connect(to: replica.connectionString())
            #expect(try await administrator.query("SELECT pg_is_in_recovery() AS r")[0].decode("r", as: Bool.self))
            let source = try await api.fixture.source(in: api.organization)
            try await api.fixture.deliver(api.fixture.event(.joiner), from: source)
            try await api.fixture.settle()
            let size = try await api.fixture.index(api.organization.id)
            let tail = "/v1/audit/search?mode=tail&limit=200"
            let range = "/v1/audit/search?mode=range&limit=2"
            try await eventually { try await api.get(tail, as: api.auditor).items.count >= size }
            let told = try await api.fixture.leaves(in: api.organization.id, action: .auditRead).count
            #expect(told > 0)
            // It follows no more: what it has is still complete, and says how far it is.
            _ = try await administrator.query("SELECT pg_wal_replay_pause()")
            try await eventually {
                let state = try await administrator.query("SELECT pg_get_wal_replay_pause_state() AS s")
                return try state[0].decode("s", as: String.self) == "paused"
            }
            let behind = try await api.get(tail, as: api.auditor).body["tree_size"]?.int64 ?? 0
            #expect(try await api.fixture.index(api.organization.id) > Int(behind))
            let still = try await api.get(tail, as: api.auditor)
            #expect(still.body["tree_size"] == .integer(Int(behind)) && still.items.count == Int(behind))
            let page = try await api.get(range, as: api.auditor)
            #expect(page.body["tree_size"] == .integer(Int(behind)))
            #expect(try await api.get("/v1/audit/export?format=ndjson&limit=1", as: api.auditor).status == 200)
            #expect(try await api.fixture.leaves(in: api.organization.id, action: .auditExported).count == 1)
            _ = try await administrator.query("SELECT pg_wal_replay_resume()")
            await administrator.close()
            // Without it the log is not searched, and everything else goes on.
            try await replica.stop(.immediate)
            let error = await #expect(throws: PostgresError.self) {
                try await reads(api.fixture)?.read(as: api.organization.id) { try await $0.logSize() }
            }
            // What the server answers with 503.
            #expect(error?.isTransient == true)
            #expect(try await api.get("/v1/users", as: api.auditor).status == 200)
        }
    }
}
