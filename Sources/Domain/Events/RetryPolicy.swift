/// How often and how soon a failing event is tried again.
package enum RetryPolicy {
    /// Tries in all; the last failure makes the event dead, visibly, until an operator retries it.
    package static let mostAttempts = 8
    /// The first pause; each further one doubles it.
    package static let firstPause = Duration.seconds(1)
    package static let longestPause = Duration.seconds(300)

    /// When to try again after that many failures; nil when there were enough. Up to a fifth of the pause is added at
    /// random, so that what failed together does not come back together.
    package static func nextTry(
        after failures: Int,
        at now: Timestamp,
        using randomness: some Randomness
    ) -> Timestamp? {
        guard failures < mostAttempts else { return nil }
        let pause = min(firstPause * (1 << max(0, failures - 1)), longestPause)
        let jitter = Double(randomness.words().0 >> 11) / Double(1 << 53) / 5
        return now + pause + pause * jitter
    }
}
