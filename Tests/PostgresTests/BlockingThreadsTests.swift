import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import Postgres

/// Name resolution and PQcancel run there.
@Suite struct BlockingThreadsTests {
    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }

    @Test(.timeLimit(.minutes(3)))
    func `calls that hang hold none of Swift's threads, and the rest wait their turn`() async throws {
        let threads = BlockingThreads()
        let gate = DispatchSemaphore(value: 0)
        let hanging = Count()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for call in 0..<40 {
                group.addTask {
                    await threads.run {
                        hanging.value.add(1, ordering: .relaxed)
                        gate.wait()
                        return call
                    }
                }
            }
            try await eventually { hanging.value.load(ordering: .relaxed) == 16 }
            // More calls hang than Swift has threads, and its tasks go on.
            let others = await withTaskGroup(of: Int.self) { tasks in
                for task in 0..<200 {
                    tasks.addTask {
                        await Task.yield()
                        return task
                    }
                }
                return await tasks.reduce(0, +)
            }
            #expect(others == 19_900)
            #expect(hanging.value.load(ordering: .relaxed) == 16)
            for _ in 0..<40 { gate.signal() }
            var ended: Set<Int> = []
            for try await call in group { ended.insert(call) }
            #expect(ended.count == 40)
        }
    }
}
