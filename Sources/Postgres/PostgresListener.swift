package import Logging
import ServiceLifecycle
import Synchronization

/// LISTEN on a connection of its own, which must be direct: no pooler that shares connections carries it.
///
/// While it has no connection it tries again with growing, jittered pauses. A consumer that trusts nothing it cached
/// from `.disconnected` until after `.reconnected` misses nothing.
package final class PostgresListener: Service, Sendable {
    /// What is heard, for one consumer. Ends when `run` ends. When the consumer falls `bufferLimit` behind, the oldest
    /// are dropped and `.reconnected` follows.
    package let notifications: AsyncStream<PostgresNotification>

    private let configuration: PostgresConnectionConfiguration
    private let channels: [PostgresIdentifier]
    private let logger: Logger
    private let sink: AsyncStream<PostgresNotification>.Continuation

    private static let bufferLimit = 4096
    /// A connection over which nothing comes any more is noticed within this time and its answer's.
    private static let heartbeat = Duration.seconds(5)
    private static let firstPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(5)

    /// `connectionString` is the direct one; its first packet is sent by `run`.
    package init(connectionString: String, channels: [PostgresIdentifier], logger: Logger) {
        configuration = PostgresConnectionConfiguration(connectionString: connectionString, limits: .none)
        self.channels = channels
        self.logger = logger
        (notifications, sink) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.bufferLimit))
    }

    /// Listens until graceful shutdown or cancellation.
    package func run() async throws {
        defer { sink.finish() }
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do throws(PostgresError) {
                    let connection = try await self.listen()
                    failures = 0
                    await self.watch(connection)
                    self.tell(.disconnected)
                } catch {
                    self.logger.warning("the listening connection could not be opened", metadata: ["error": "\(error)"])
                    failures += 1
                }
                let pause = min(Self.firstPause * (1 << min(failures, 10)), Self.longestPause)
                // Cancellation ends the sleep, and the loop with it.
                try? await Task.sleep(for: pause * Double.random(in: 0.5..<1))
            }
        }
    }

    private func listen() async throws(PostgresError) -> PostgresConnection {
        let connection = try await PostgresConnection.connect(configuration)
        connection.wire.post { wire in wire.onNotification = { [weak self] in self?.tell($0) } }
        _ = try await connection.pipeline(channels.map { "LISTEN \(identifier: $0)" })
        tell(.reconnected)
        return connection
    }

    /// Returns when the connection is lost or the task cancelled.
    private func watch(_ connection: PostgresConnection) async {
        let (lost, losing) = AsyncStream<Void>.makeStream()
        connection.wire.post { wire in
            wire.onLoss = { losing.finish() }
            if wire.status == .lost { losing.finish() }
        }
        await withTaskGroup { group in
            group.addTask { for await _ in lost {} }
            group.addTask { await self.beat(connection) }
            await group.next()
            group.cancelAll()
        }
        await connection.close()
    }

    private func beat(_ connection: PostgresConnection) async {
        while true {
            do {
                try await Task.sleep(for: Self.heartbeat)
            } catch {
                return
            }
            let flight = Flight(["SELECT 1"], lease: nil, isAutocommit: false, deadline: Self.heartbeat)
            if case .failure = await connection.wire.fly(flight, shielded: true).results { return }
        }
    }

    private func tell(_ notification: PostgresNotification) {
        if case .dropped = sink.yield(notification) { sink.yield(.reconnected) }
    }
}
