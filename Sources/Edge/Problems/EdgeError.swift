package import Domain
import HTTPTypes

/// Why a door refuses. Each case is one problem type (RFC 9457) with one status; ``Problem`` prints them.
///
/// Nothing here is for faults of ours: what is not an `EdgeError` is answered 500, or 503 when it is transient.
package enum EdgeError: Error, Hashable, Sendable {
    case notFound
    case methodNotAllowed(allowed: [String])
    case unauthorized(Challenge)
    /// What is missing is named only to a caller who has proved who it is.
    case forbidden(needs: Scope?)
    /// The caller is known, and its own terms refuse this request (address, expiry, …).
    case refused(AccessRefusal)
    case conflict(detail: String)
    /// The change needs an `If-Match`.
    case preconditionRequired
    /// The entity is no longer the one that `If-Match` names.
    case preconditionFailed
    /// The action wants a second look: send it again with this value.
    case confirmationRequired(confirmation: String, detail: String)
    /// The body or the query is not one that this route can take.
    case malformed(detail: String)
    /// Well-formed, and these members are not acceptable.
    case invalid([Reason])
    case idempotencyKeyReused
    case payloadTooLarge(mostBytes: Int)
    /// What the route would take.
    case unsupportedMediaType(accepted: String)
    case requestTimeout
    case tooManyRequests(retryAfterSeconds: Int)
    /// A transient fault of ours; the sender should come again.
    case unavailable(retryAfterSeconds: Int)

    /// One thing that is wrong with a request, and where.
    package struct Reason: Hashable, Sendable {
        /// Where the thing is.
        package enum Place: Hashable, Sendable {
            /// RFC 6901, into the body.
            case pointer(String)
            /// A parameter of the query.
            case parameter(String)
        }

        package let place: Place
        /// Holds nothing of what was sent.
        package let detail: String

        /// At that RFC 6901 pointer into the body.
        package init(_ pointer: String, _ detail: String) {
            place = .pointer(pointer)
            self.detail = detail
        }

        /// At that parameter of the query.
        package init(parameter: String, _ detail: String) {
            place = .parameter(parameter)
            self.detail = detail
        }
    }

    /// RFC 6750 section 3.1.
    package enum Challenge: Hashable, Sendable {
        /// No credential at all: no error code, as the RFC asks.
        case missing
        /// Unknown, revoked, expired or malformed, all answered alike.
        case invalid
    }

    /// Waiting time for senders when a fault gives no better one.
    package static let retryAfterSeconds = 2
}
