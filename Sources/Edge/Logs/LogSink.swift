import Foundation
import Synchronization
import SystemPackage

/// Where log lines go: a bounded queue in front of one thread that writes.
///
/// Whoever logs never waits for the reader of the pipe. When the reader stalls and the queue is full, lines are dropped
/// and counted, and the count is written when there is room again.
package final class LogSink: Sendable {
    /// Bytes that wait at most.
    package static let mostQueuedBytes = 4 * 1024 * 1024

    private struct State {
        var queued: [UInt8] = []
        var dropped = 0
        var isWriting = false
    }

    /// What the writer sleeps on. Held for no longer than an append.
    private let changed = NSCondition()
    private let state = Mutex(State())
    private let write: @Sendable ([UInt8]) -> Void

    /// `write` may block; it is called from one thread, with whole lines.
    package init(write: @escaping @Sendable ([UInt8]) -> Void = LogSink.toStandardError) {
        self.write = write
        let thread = Thread { [self] in
            while true { writeNext() }
        }
        thread.name = "log"
        thread.start()
    }

    /// All of the bytes to file descriptor 2.
    @Sendable package static func toStandardError(_ bytes: [UInt8]) {
        // When standard error is closed nobody is left to tell.
        _ = try? FileDescriptor.standardError.writeAll(bytes)
    }

    /// `line` ends with LF.
    package func append(_ line: [UInt8]) {
        changed.lock()
        state.withLock { state in
            if state.queued.count + line.count <= Self.mostQueuedBytes {
                state.queued += line
            } else {
                state.dropped += 1
            }
        }
        changed.signal()
        changed.unlock()
    }

    /// Waits until everything that was appended is written, or the time is over. To be called before the process ends.
    package func flush(within limit: Duration = .seconds(2)) {
        let deadline = ContinuousClock.now + limit
        changed.lock()
        while ContinuousClock.now < deadline, state.withLock({ $0.isWriting || !$0.queued.isEmpty }) {
            // allowed(clock): a condition takes its limit only as a date; what ends the wait is the deadline above.
            _ = changed.wait(until: Date(timeIntervalSinceNow: 0.01))
        }
        changed.unlock()
    }

    private func writeNext() {
        changed.lock()
        while state.withLock({ $0.queued.isEmpty }) { changed.wait() }
        let (bytes, dropped) = state.withLock { state in
            defer { state = State(isWriting: true) }
            return (state.queued, state.dropped)
        }
        changed.unlock()
        write(bytes)
        if dropped > 0 {
            write(Array(#"{"level":"warning","message":"Log lines were dropped","dropped":\#(dropped)}"#.utf8) + [0x0A])
        }
        changed.lock()
        state.withLock { $0.isWriting = false }
        changed.broadcast()
        changed.unlock()
    }
}
