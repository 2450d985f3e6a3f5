package import Domain
package import Hummingbird
package import Logging
import NIOCore

// Hummingbird has a type of that name too.
typealias RequestID = Domain.RequestID

/// What Hummingbird knows of a request before its header is looked at. ``EdgeResponder`` makes an ``EdgeContext`` of it.
package struct Arrival: InitializableFromSource {
    let peer: IPAddress?
    let logger: Logger

    /// Called by Hummingbird for each request.
    package init(source: ApplicationRequestContextSource) {
        peer = source.channel.remoteAddress.flatMap(IPAddress.init)
        logger = source.logger
    }
}

extension IPAddress {
    /// Nil for a unix socket.
    fileprivate init?(_ address: SocketAddress) {
        guard let text = address.ipAddress else { return nil }
        // The kernel's answer for a link-local peer carries its zone, which is about this machine, not the peer.
        self.init(String(text.prefix { $0 != "%" }))
    }
}

/// What ``EdgeResponder`` found out about a request; the source of its context.
package struct RequestFacts: RequestContextSource {
    package var logger: Logger
    package let requestID: Domain.RequestID
    package let trace: TraceContext
    package let peer: IPAddress?
    package let client: IPAddress?
    package let receivedAt: Timestamp
    package let userAgent: String?
}

/// The context of every request at every door. Nobody is authenticated yet: see ``CallerContext``.
package struct EdgeContext: RequestContext {
    package typealias Source = RequestFacts

    package var coreContext: CoreRequestContextStorage
    /// Our own, never the client's; in the answer's `X-Request-Id`, every log line and every audit entry.
    package let requestID: Domain.RequestID
    package let trace: TraceContext
    /// Who holds the other end of the socket; nil for a unix socket.
    package let peer: IPAddress?
    /// Who calls, by ``ProxyTrust``; nil when it cannot be told, and then no allow-list holds it.
    package let client: IPAddress?
    package let receivedAt: Timestamp
    package let userAgent: String?
    /// Set by ``Authenticator`` alone. Handlers take a ``CallerContext``, in which it is not optional.
    package internal(set) var caller: Caller?

    /// Called by ``EdgeResponder`` for each request.
    package init(source: RequestFacts) {
        coreContext = CoreRequestContextStorage(source: source)
        requestID = source.requestID
        trace = source.trace
        peer = source.peer
        client = source.client
        receivedAt = source.receivedAt
        userAgent = source.userAgent
    }

    /// Where this request came from, as audit entries record it.
    package var origin: Attribution.Origin {
        Attribution.Origin(request: requestID, trace: trace.traceID, address: client, userAgent: userAgent)
    }

    /// In place of Hummingbird's own, which is not in our log lines.
    package var id: String { requestID.description }
}
