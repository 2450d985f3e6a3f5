import Edge
import Hummingbird
import HummingbirdTesting
import ServiceLifecycle
import Synchronization
import Testing

@Suite struct ShutdownTests {
    /// What the test and the handler tell each other.
    private final class Story: Sendable {
        let isInHand = Atomic(false)
        let mayBeAnswered = Atomic(false)
        let port = Mutex<Int?>(nil)

        func until(_ condition: () -> Bool) async throws {
            while !condition() { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `a request in hand is answered while the server drains, and idle connections are closed`() async throws {
        let story = Story()
        let router = Router<EdgeContext>.edge()
        router.get("/slow") { _, _ -> String in
            story.isInHand.store(true, ordering: .relaxed)
            try await story.until { story.mayBeAnswered.load(ordering: .relaxed) }
            return "late"
        }
        let application = try EdgeServer.application(
            responder: EdgeResponder(
                router.buildResponder(),
                surroundings: EdgeSurroundings(clock: StillClock(), randomness: CountingRandomness())
            ),
            configuration: .init(address: .hostname("localhost", port: 0)),
            logger: quietLogger(),
            onServerRunning: { channel in story.port.withLock { $0 = channel.localAddress?.port } }
        )
        let group = ServiceGroup(configuration: .init(services: [application], logger: quietLogger()))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await story.until { story.port.withLock { $0 } != nil }
            let number = try #require(story.port.withLock { $0 })
            let idle = try await RawClient(port: number)
            let busy = try await RawClient(port: number)
            await busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            try await story.until { story.isInHand.load(ordering: .relaxed) }
            await group.triggerGracefulShutdown()
            // The end of the idle one tells that the server drains.
            #expect(await idle.textAtClose() == "")
            #expect(!busy.isClosed)
            story.mayBeAnswered.store(true, ordering: .relaxed)
            let answer = try #require(await busy.textAtClose())
            #expect(answer.contains("late") && answer.contains("connection: close"))
            try await tasks.waitForAll()
        }
    }
}
