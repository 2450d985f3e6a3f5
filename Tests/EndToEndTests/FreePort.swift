import NIOCore
import NIOPosix

/// A port of this machine that nobody listens on now. Below those that the kernel gives to clients: one of them that tries
/// it before its server listens could reach itself.
enum FreePort {
    struct None: Error {}

    static func find() async throws -> Int {
        for _ in 0..<1000 {
            let candidate = Int.random(in: 20_000..<32_000)
            do {
                let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .bind(host: "127.0.0.1", port: candidate).get()
                try await channel.close()
                return candidate
            } catch {
                continue
            }
        }
        throw None()
    }
}
