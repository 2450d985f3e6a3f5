import Hummingbird
import NIOCore
import NIOHTTP1

/// Reads an error as the refusal that it is; nil: a fault of ours.
///
/// What the rooms below Edge throw is read by the closure that App hands in, because Edge does not know the database's
/// errors: it answers ``EdgeError/unavailable(retryAfterSeconds:)`` for what is transient and never a 4xx for a fault.
package struct FaultReader: Sendable {
    private let below: @Sendable (any Error) -> EdgeError?

    /// `below` returns nil for what is a fault of ours and not transient.
    package init(below: @escaping @Sendable (any Error) -> EdgeError? = { _ in nil }) {
        self.below = below
    }

    /// The refusal that the error is, or nil.
    package func refusal(of error: any Error) -> EdgeError? {
        switch error {
        case let error as EdgeError: error
        case RequestBodyFault.tooSlow: .requestTimeout
        case RequestBodyFault.tooLong: .payloadTooLarge(mostBytes: EdgeLimits().bodyBytes)
        case is HTTPParserError: .malformed(detail: "The body breaks the framing of HTTP/1.1.")
        case is NIOTooManyBytesError: .payloadTooLarge(mostBytes: EdgeLimits().bodyBytes)
        case let error as HTTPError where error.status == .notFound: .notFound
        case let error as HTTPError where error.status == .contentTooLarge:
            .payloadTooLarge(mostBytes: EdgeLimits().bodyBytes)
        case let error as HTTPError where error.status.kind == .clientError:
            .malformed(detail: error.body ?? "The request cannot be read.")
        case is CancellationError: .unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds)
        default: below(error)
        }
    }
}

/// Outermost at every router: keeps Hummingbird from printing errors in a form of its own. Errors that are responses
/// themselves (a door's own protocol form) pass.
struct ProblemErrors: RouterMiddleware {
    let faults: FaultReader

    func handle(
        _ request: Request,
        context: EdgeContext,
        next: @concurrent (Request, EdgeContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error where error is HTTPError || error is NIOTooManyBytesError {
            guard let refusal = faults.refusal(of: error) else { throw UnforeseenError(cause: error) }
            throw refusal
        }
    }
}

/// Carries an error past Hummingbird's own printing of it.
struct UnforeseenError: Error {
    let cause: any Error
}
