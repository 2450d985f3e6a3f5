package import Hummingbird
package import HummingbirdCore
package import Logging
import NIOCore

/// `/metrics` on a port of its own, which only operators reach. Serves nothing else and asks nobody who they are.
package enum MetricsServer {
    /// Scrapers are few; whatever else comes is noise.
    static let mostConnections = 64

    /// A service that serves until graceful shutdown. `refresh` is called before each scrape, for gauges that are read
    /// rather than counted; what it throws is logged and the scrape answered with what is known.
    package static func application(
        address: BindAddress,
        registry: PrometheusRegistry,
        logger: Logger,
        surroundings: EdgeSurroundings,
        refresh: @escaping @Sendable () async throws -> Void = {},
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) throws -> some ApplicationProtocol {
        let router = Router<EdgeContext>.edge(faults: surroundings.faults)
        router.get("/metrics") { _, context -> Response in
            do { try await refresh() } catch {
                context.logger.warning(
                    "Metrics could not be refreshed",
                    metadata: ["error": .string(String(reflecting: error))]
                )
            }
            let text = registry.exposition()
            return Response(
                status: .ok,
                headers: [.contentType: PrometheusRegistry.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text))
            )
        }
        router.closeMethods()
        var configuration = EdgeServer.Configuration(address: address)
        configuration.limits.connections = mostConnections
        configuration.limits.bodyBytes = 0
        return try EdgeServer.application(
            responder: EdgeResponder(router.buildResponder(), surroundings: surroundings),
            configuration: configuration,
            logger: logger,
            onServerRunning: onServerRunning
        )
    }
}
