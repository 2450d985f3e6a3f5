import Logging
import Postgres
import TestSupport
import Testing

@Suite struct ListenerTests {
    @Test func `notifications come, and a restart of the server is told`() async throws {
        let cluster = try await TestCluster.own(named: "listen")
        let server = cluster.server
        let channel = try #require(PostgresIdentifier("epochs"))
        let listener = PostgresListener(
            connectionString: server.connectionString(),
            channels: [channel],
            logger: .silent
        )
        func notify(_ payload: String) async throws {
            let connection = try await PostgresConnection.connect(to: server.connectionString())
            _ = try await connection.query("SELECT pg_notify('epochs', \(payload))")
            await connection.close()
        }
        let running = Task { try await listener.run() }
        var heard = listener.notifications.makeAsyncIterator()
        #expect(await heard.next() == .reconnected)
        try await notify("one")
        #expect(await heard.next() == .message(channel: "epochs", payload: "one"))
        try await server.stop(.immediate)
        #expect(await heard.next() == .disconnected)
        try await server.start()
        #expect(await heard.next() == .reconnected)
        try await notify("two")
        #expect(await heard.next() == .message(channel: "epochs", payload: "two"))
        running.cancel()
        try await running.value
        #expect(await heard.next() == .disconnected)
        #expect(await heard.next() == nil)
        try await server.stop(.immediate)
    }
}
