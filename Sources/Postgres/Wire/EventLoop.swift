import CLibpq
import Glibc
import Synchronization

/// A thread that waits on sockets with epoll and executes the actors bound to it.
///
/// Everything that touches a connection runs here, so that Swift's cooperative threads never wait for a socket. Work is
/// handed over through a mailbox; an eventfd wakes the thread only when it sleeps.
///
/// `@unchecked Sendable`: `watchers`, `timers` and `nextTimer` are touched only by functions that check that they run on
/// the thread; the rest is immutable or behind the mutex.
final class EventLoop: SerialExecutor, @unchecked Sendable {
    private enum Work {
        case job(UnownedJob)
        case call(@Sendable () -> Void)
    }

    private struct Mailbox {
        var work: [Work] = []
        /// True from the moment the thread found no work until somebody woke it.
        var asleep = false
    }

    private struct Timer {
        let deadline: ContinuousClock.Instant
        let id: Int
        let fire: () -> Void
    }

    /// Loops shared by all connections of the process. Two suffice: a loop only copies bytes between libpq and the
    /// kernel.
    static let shared: [EventLoop] = (0..<2).map { _ in EventLoop() }
    private static let turn = Atomic<Int>(0)

    /// The loop for the next connection.
    static func next() -> EventLoop {
        shared[turn.wrappingAdd(1, ordering: .relaxed).oldValue % shared.count]
    }

    private let mailbox = Mutex(Mailbox())
    private let epoll: Int32
    private let wake: Int32
    private let thread = Atomic<UInt>(0)
    private var watchers: [Int32: (UInt32) -> Void] = [:]
    /// Ordered by deadline, the last one first to fire.
    private var timers: [Timer] = []
    private var nextTimer = 0

    private init() {
        epoll = shim_epoll_create()
        wake = shim_wake_create()
        precondition(epoll >= 0 && wake >= 0, "no file descriptors left for an event loop")
        _ = shim_epoll_watch(epoll, wake, shim_readable)
        startThread(named: "postgres-loop") { self.run() }
    }

    var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    func enqueue(_ job: consuming ExecutorJob) {
        post(.job(UnownedJob(job)))
    }

    func checkIsolated() {
        precondition(isCurrent, "not on the event loop")
    }

    func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Runs `body` on the loop, after everything handed over before it.
    func execute(_ body: @escaping @Sendable () -> Void) {
        post(.call(body))
    }

    private func post(_ work: Work) {
        let sleeping = mailbox.withLock { mailbox in
            mailbox.work.append(work)
            let sleeping = mailbox.asleep
            mailbox.asleep = false
            return sleeping
        }
        if sleeping {
            var one: UInt64 = 1
            unsafe _ = write(wake, &one, 8)
        }
    }

    // MARK: On the loop

    /// Calls `handler` whenever `descriptor` has one of `events` (level-triggered), until `unwatch`.
    func watch(_ descriptor: Int32, events: UInt32, handler: @escaping (UInt32) -> Void) {
        checkIsolated()
        watchers[descriptor] = handler
        _ = shim_epoll_watch(epoll, descriptor, events)
    }

    func unwatch(_ descriptor: Int32) {
        checkIsolated()
        guard watchers.removeValue(forKey: descriptor) != nil else { return }
        _ = shim_epoll_unwatch(epoll, descriptor)
    }

    /// Calls `fire` once, after `delay`, unless cancelled.
    func schedule(after delay: Duration, fire: @escaping () -> Void) -> Int {
        checkIsolated()
        nextTimer += 1
        let timer = Timer(deadline: .now + delay, id: nextTimer, fire: fire)
        let position = timers.firstIndex { $0.deadline <= timer.deadline } ?? timers.count
        timers.insert(timer, at: position)
        return timer.id
    }

    func cancel(timer id: Int) {
        checkIsolated()
        timers.removeAll { $0.id == id }
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var descriptors = [Int32](repeating: 0, count: Int(SHIM_EPOLL_BATCH))
        var events = [UInt32](repeating: 0, count: Int(SHIM_EPOLL_BATCH))
        while true {
            drainMailbox()
            fireTimers()
            let sleeping = mailbox.withLock { mailbox in
                mailbox.asleep = mailbox.work.isEmpty
                return mailbox.asleep
            }
            let timeout = sleeping ? millisecondsToNextTimer() : 0
            let count = unsafe shim_epoll_wait(epoll, timeout, &descriptors, &events)
            mailbox.withLock { $0.asleep = false }
            for index in 0..<max(0, Int(count)) {
                let descriptor = descriptors[index]
                if descriptor == wake {
                    var value: UInt64 = 0
                    unsafe _ = read(wake, &value, 8)
                } else if let watcher = watchers[descriptor] {
                    watcher(events[index])
                }
            }
        }
    }

    private func drainMailbox() {
        let work = mailbox.withLock { mailbox in
            var work: [Work] = []
            swap(&work, &mailbox.work)
            return work
        }
        for item in work {
            switch item {
            case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
            case .call(let body): body()
            }
        }
    }

    private func fireTimers() {
        while let next = timers.last, next.deadline <= .now {
            timers.removeLast()
            next.fire()
        }
    }

    private func millisecondsToNextTimer() -> Int32 {
        guard let next = timers.last else { return -1 }
        let remaining = ContinuousClock.now.duration(to: next.deadline)
        // Rounded up, so that the timer is due when the wait ends.
        return Int32(clamping: max(0, remaining / .milliseconds(1)).rounded(.up).clampedInt)
    }
}

extension Double {
    fileprivate var clampedInt: Int { self > 1_000_000_000 ? 1_000_000_000 : Int(self) }
}
