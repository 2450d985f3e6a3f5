// Every outgoing connection of Rollcall, behind one guard.
//
// `OutboundClient.send` is the entrance: it reads the URL strictly, resolves the name once, classifies every address
// that came back, connects to exactly one of those and to nothing else, follows no redirect, and bounds the time and
// both sizes. `AddressPolicy` says who chose the URL and therefore what it may reach.
//
// Elsewhere: what an address and a range are (Domain, Access), what is signed and sent (the engines), and libpq's
// connections, which go only where the operator's own settings point (Postgres).

package import Domain

/// Why nothing, or nothing usable, came back. Never carries a header, a body or a query: those may hold secrets.
package enum OutboundError: Error, Hashable, Sendable {
    /// Nothing was resolved or sent.
    case urlRefused(URLRefusal)
    /// The name leads to an address that the policy forbids, if only among others. Nothing was sent.
    case addressRefused(IPAddress, AddressKind)
    /// `http:` to an address out on the internet. Nothing was sent.
    case clearTextRefused(host: String)
    case nameUnresolved(host: String)
    /// No address of the host took the connection. Nothing was sent, so trying again repeats nothing.
    case connectionFailed(host: String)
    /// The peer could not prove to be the host. Nothing was sent.
    case peerUntrusted(host: String)
    /// The peer may have acted on the request.
    case timedOut(host: String)
    /// The peer may have acted on the request.
    case connectionLost(host: String)
    /// The peer may have acted on the request.
    case responseTooLarge(host: String, limitBytes: Int)
    /// The peer answered with something that is not HTTP. It may have acted on the request.
    case responseMalformed(host: String)
    /// A header that no HTTP message may carry. Nothing was sent.
    case requestMalformed
    case cancelled
}
