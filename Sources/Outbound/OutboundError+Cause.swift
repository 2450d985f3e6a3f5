import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

extension OutboundError {
    /// What an error of the layers below means to whoever asked. What is not known is a lost connection, after which
    /// the peer may have acted: the careful reading.
    init(_ cause: any Error, host: String) {
        switch cause {
        case let known as OutboundError: self = known
        case let client as HTTPClientError: self.init(client, host: host)
        case is NIOConnectionError: self = .connectionFailed(host: host)
        case let io as IOError where Self.connecting.contains(io.errnoCode): self = .connectionFailed(host: host)
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: self = .peerUntrusted(host: host)
        case is HTTPParserError: self = .responseMalformed(host: host)
        case is CancellationError: self = .cancelled
        default: self = .connectionLost(host: host)
        }
    }

    private init(_ cause: HTTPClientError, host: String) {
        switch cause {
        case .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout: self = .connectionFailed(host: host)
        case .readTimeout, .writeTimeout, .deadlineExceeded: self = .timedOut(host: host)
        case .cancelled: self = .cancelled
        case .traceRequestWithBody, .invalidURL, .emptyHost: self = .requestMalformed
        default: self = .connectionLost(host: host)
        }
    }

    /// What connect(2) fails with; a connection that was there is never lost by one of these.
    private static let connecting: Set<CInt> = [
        ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, ENETDOWN, EADDRNOTAVAIL, EACCES, EPERM,
    ]
}
