/// Every bound that a client meets before a handler does. All times are of one clock per connection that nothing the
/// client sends can wind back.
package struct EdgeLimits: Sendable, Hashable {
    /// Request line and header fields together, and each field alone. More is answered 431 and closed.
    package var headerBytes = 16 * 1024
    /// Header fields and trailers together. More is answered 431 and closed.
    package var headerFields = 100
    /// The most that any door takes; doors set their own, lower bounds. More is answered 413 and closed.
    package var bodyBytes = 2 * 1024 * 1024
    /// Open connections. One more is closed at once.
    package var connections = 4096
    /// From the connection's start, TLS handshake included, to the end of the first request's header.
    package var firstHeader: Duration = .seconds(10)
    /// From an answer to the end of the next request's header.
    package var keepAlive: Duration = .seconds(60)
    /// From the end of the header to the end of the body, whatever trickles in between. Past it: 408 and closed.
    package var requestRead: Duration = .seconds(30)
    /// How long the peer may take to accept what is written to it, counted from the last buffer that it accepted whole.
    package var writeStall: Duration = .seconds(30)
    /// How long a connection that is being closed is still read, so that the peer sees the answer and not a reset.
    package var linger: Duration = .seconds(2)
    /// Requests on one connection. The last is answered with `Connection: close`.
    package var requestsPerConnection = 1000

    /// The bounds as they stand above.
    package init() {}
}
