import Logging
import ServiceLifecycle

/// Looks now and then whether somebody has to be told that something runs out, or a request has. What was told stands in
/// the database, so that a restart tells nothing twice, and any number of nodes may run it.
package struct NoticeKeeper: Service {
    private let store: Store
    private let pause: Duration

    /// Between two looks.
    package static let standardPause = Duration.seconds(60)
    /// Notices of one transaction, and of one look.
    static let mostAtOnce = 100
    static let mostRounds = 100

    package init(_ store: Store, pause: Duration = standardPause) {
        self.store = store
        self.pause = pause
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.look()
                // Cancelled while pausing: the loop sees it.
                try? await Task.sleep(for: self.pause)
            }
        }
    }

    /// One look. What fails now is found again at the next.
    package func look() async {
        do {
            for _ in 0..<Self.mostRounds {
                let told = try await store.performNext(ExpiryNotices(), most: Self.mostAtOnce)
                let settled = try await store.performNext(ApprovalExpiry(), most: Self.mostAtOnce)
                if told + settled == 0 { return }
            }
        } catch is CancellationError {
            return
        } catch {
            store.logger.warning("Notices failed and are tried again", metadata: ["error": "\(error)"])
        }
    }
}
