/// A hint inside this process that there is something to do. The truth is in the rows: workers of other nodes, and of
/// this one after a restart, find it by looking; the hint only saves the wait until the next look.
package struct WorkSignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// For one node: what other nodes accept is found by looking.
    package init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Wakes one worker that waits; does nothing where one is to wake up already.
    package func raise() { continuation.yield() }

    /// Wakes every waiting worker for good.
    package func close() { continuation.finish() }

    /// One element a wake-up. Several workers may iterate.
    package var wakeUps: AsyncStream<Void> { stream }
}
