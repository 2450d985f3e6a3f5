package import Domain
import NIOPosix
import Synchronization

/// Hashes passwords on threads of its own, a few at a time: a flood of sign-ins waits in a short queue and is then refused,
/// and everything else is served as before. One address fills a small part of the queue, so that it stops nobody else.
package final class PasswordHashing: Sendable {
    private let threads: NIOThreadPool
    private let waiting = Mutex(Waiting())
    private let cost: PasswordHash.Cost
    private let randomness: any Randomness
    /// What the password of an account that is not there is compared with, in the same time.
    private let nobody: PasswordHash

    /// Passwords that are hashed at once; each takes 64 MiB at the standard cost.
    package static let mostAtOnce = 2
    /// Passwords that wait for their turn at most; one more is refused with 503.
    package static let mostWaiting = 64
    /// Passwords that come from one address (IPv6: from one /64) and are hashed or wait; one more is refused with 429.
    package static let mostOfAddress = 4

    private struct Waiting {
        var count = 0
        var ofAddress: [IDBits: Int] = [:]
    }

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
    package func matches(
        _ password: Password,
        _ hash: PasswordHash?,
        from address: IPAddress?
    ) async throws -> Bool {
        let compared = hash ?? nobody
        let isRight = try await inTurn(address) { try compared.matches(password) }
        return isRight && hash != nil
    }

    /// The hash to keep of a chosen password.
    package func hash(_ password: Password, from address: IPAddress?) async throws -> PasswordHash {
        try await inTurn(address) { [cost, randomness] in
            try PasswordHash(of: password, cost: cost, using: randomness)
        }
    }

    private func inTurn<Value: Sendable>(
        _ address: IPAddress?,
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let place = CallerLimits.key(of: address)
        try waiting.withLock { waiting throws(EdgeError) in
            guard waiting.ofAddress[place, default: 0] < Self.mostOfAddress else {
                throw .tooManyRequests(retryAfterSeconds: EdgeError.retryAfterSeconds)
            }
            guard waiting.count < Self.mostAtOnce + Self.mostWaiting else {
                throw .unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds)
            }
            waiting.count += 1
            waiting.ofAddress[place, default: 0] += 1
        }
        defer {
            waiting.withLock { waiting in
                waiting.count -= 1
                let left = waiting.ofAddress[place, default: 1] - 1
                waiting.ofAddress[place] = left > 0 ? left : nil
            }
        }
        return try await threads.runIfActive(work)
    }

    deinit {
        // Nothing waits any longer: who waits holds this.
        threads.shutdownGracefully { _ in }
    }
}
