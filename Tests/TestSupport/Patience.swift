/// Waits until the condition holds, as long as a machine may need that is busy with other tests too. A test that waits for
/// what it needs, and neither for a time nor against one, fails for what it tests alone.
package func eventually(
    within limit: Duration = .seconds(90),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NeverCame(limit: limit) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// What ``eventually(within:_:)`` waited for in vain.
package struct NeverCame: Error {
    package let limit: Duration

    package init(limit: Duration) { self.limit = limit }
}
