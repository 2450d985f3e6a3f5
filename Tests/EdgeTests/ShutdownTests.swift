import Edge
import Hummingbird
import HummingbirdTesting
import ServiceLifecycle
import Synchronization
import Testing

@Suite struct ShutdownTests {
    @Test func `a request in hand is answered while the server drains, and idle connections are closed`() async throws {
        let port = Mutex<Int?>(nil)
        let router = Router<EdgeContext>.edge()
        router.get("/slow") { _, _ -> String in
            try await Task.sleep(for: .milliseconds(300))
            return "late"
        }
        let application = try EdgeServer.application(
            responder: EdgeResponder(
                router.buildResponder(),
                surroundings: EdgeSurroundings(clock: StillClock(), randomness: CountingRandomness())
            ),
            configuration: .init(address: .hostname("localhost", port: 0)),
            logger: quietLogger(),
            onServerRunning: { channel in port.withLock { $0 = channel.localAddress?.port } }
        )
        let group = ServiceGroup(configuration: .init(services: [application], logger: quietLogger()))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            while port.withLock({ $0 }) == nil { try await Task.sleep(for: .milliseconds(5)) }
            let number = try #require(port.withLock { $0 })
            let busy = try await RawClient(port: number)
            let idle = try await RawClient(port: number)
            await busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            try await Task.sleep(for: .milliseconds(100))
            await group.triggerGracefulShutdown()
            let answer = try #require(await busy.textAtClose())
            #expect(answer.contains("late") && answer.contains("connection: close"))
            #expect(await idle.textAtClose() == "")
            try await tasks.waitForAll()
        }
    }
}
