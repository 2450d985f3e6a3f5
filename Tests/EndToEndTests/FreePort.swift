import NIOCore
import NIOPosix

/// A port of this machine that nobody listens on now.
enum FreePort {
    struct None: Error {}

    static func find() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port
        try await channel.close()
        guard let port else { throw None() }
        return port
    }
}
