package import Domain
import NIOPosix
import Synchronization

/// Hashes passwords on threads of its own, a few at a time: a flood of sign-ins waits in a short queue and is then refused,
/// and everything else is served as before.
package final class PasswordHashing: Sendable {
    private let threads: NIOThreadPool
    private let waiting = Mutex(0)
    private let cost: PasswordHash.Cost
    private let randomness: any Randomness
    /// What the password of an account that is not there is compared with, in the same time.
    private let nobody: PasswordHash

    /// Passwords that are hashed at once; each takes 64 MiB at the standard cost.
    package static let mostAtOnce = 2
    /// Passwords that wait for their turn at most; one more is refused with 503.
    package static let mostWaiting = 24

    /// Hashes one password, so that the first sign-in takes no longer than the second.
    package init(cost: PasswordHash.Cost = .standard, randomness: any Randomness) throws {
        self.cost = cost
        self.randomness = randomness
        guard let password = Password(typed: "nobody's password") else { throw EdgeError.malformed(detail: "") }
        nobody = try PasswordHash(of: password, cost: cost, using: randomness)
        threads = NIOThreadPool(numberOfThreads: Self.mostAtOnce)
        threads.start()
    }

    /// Whether that is the password. Takes the same time where there is none, and then says no.
    package func matches(_ password: Password, _ hash: PasswordHash?) async throws -> Bool {
        let compared = hash ?? nobody
        let isRight = try await inTurn { try compared.matches(password) }
        return isRight && hash != nil
    }

    /// The hash to keep of a chosen password.
    package func hash(_ password: Password) async throws -> PasswordHash {
        try await inTurn { [cost, randomness] in
            try PasswordHash(of: password, cost: cost, using: randomness)
        }
    }

    private func inTurn<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let isAdmitted = waiting.withLock { count in
            guard count < Self.mostAtOnce + Self.mostWaiting else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { throw EdgeError.unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds) }
        defer { waiting.withLock { $0 -= 1 } }
        return try await threads.runIfActive(work)
    }

    deinit {
        // Nothing waits any longer: who waits holds this.
        threads.shutdownGracefully { _ in }
    }
}
