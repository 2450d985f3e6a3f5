import CLibpq
import Glibc
import Synchronization

/// Starts a detached thread. `body` runs once on it.
@safe
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let context = unsafe Unmanaged.passRetained(
        Box {
            unsafe shim_name_thread(name)
            body()
        }
    ).toOpaque()
    var thread = pthread_t()
    let failure = unsafe pthread_create(
        &thread,
        nil,
        { context in
            guard let context = unsafe context else { return nil }
            unsafe Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body()
            return nil
        },
        context
    )
    precondition(failure == 0, "no thread could be started")
    pthread_detach(thread)
}

/// Threads for the calls that block and that nothing can interrupt: name resolution and PQcancel.
///
/// A caller that gives up leaves its thread behind until the call returns, which is why there may be several.
final class BlockingThreads: Sendable {
    static let shared = BlockingThreads()

    /// Calls beyond this many wait their turn.
    private static let limit = 16

    private struct State {
        var running = 0
        var queue: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// The value of `body`, computed on a thread of its own.
    func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: body()) }
        }
    }

    private func start(_ call: @escaping @Sendable () -> Void) {
        let admitted = state.withLock { state in
            if state.running == Self.limit {
                state.queue.append(call)
                return false
            }
            state.running += 1
            return true
        }
        if admitted { startThread(named: "postgres-block") { self.work(call) } }
    }

    private func work(_ first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let call = next {
            call()
            next = state.withLock { state in
                if state.queue.isEmpty {
                    state.running -= 1
                    return nil
                }
                return state.queue.removeFirst()
            }
        }
    }
}
