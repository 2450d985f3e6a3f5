package import Hummingbird
package import HummingbirdCore
package import HummingbirdTLS
package import Logging
package import NIOCore

/// The HTTP server of all doors: Hummingbird's, held to ``EdgeLimits``.
///
/// Hummingbird alone sets no idle timeout, no cap on connections, 80 KiB and 1000 fields of header, and lets each
/// fragment of a body restart its timer.
package enum EdgeServer {
    /// Where the server listens, how it is bounded, and by which certificate it is known.
    package struct Configuration: Sendable {
        package var address: BindAddress
        package var limits = EdgeLimits()
        /// nil: plain HTTP, for a proxy in front.
        package var tls: TLSConfiguration?
        /// The kernel's queue of connections that are not accepted yet.
        package var backlog = 1024

        /// Plain HTTP with the standard bounds.
        package init(address: BindAddress) { self.address = address }
    }

    /// A service that serves until graceful shutdown: then it accepts nothing new, closes idle connections, and lets
    /// every request in hand finish, which ``EdgeLimits`` bound.
    package static func application<Base: HTTPResponder<EdgeContext>>(
        responder: EdgeResponder<Base>,
        configuration: Configuration,
        logger: Logger,
        eventLoopGroup: EventLoopGroupProvider = .singleton,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) throws -> Application<EdgeResponder<Base>> {
        var settings = ApplicationConfiguration(address: configuration.address, backlog: configuration.backlog)
        settings.serverName = nil
        return Application(
            responder: responder,
            server: try builder(for: configuration),
            configuration: settings,
            onServerRunning: onServerRunning,
            eventLoopGroupProvider: eventLoopGroup,
            logger: logger
        )
    }

    static func builder(for configuration: Configuration) throws -> HTTPServerBuilder {
        let limits = configuration.limits
        let plain = HTTPServerBuilder { EdgeChannel(responder: $0, limits: limits) }
        guard let tls = configuration.tls else { return plain }
        return try .tls(plain, tlsConfiguration: tls)
    }
}
