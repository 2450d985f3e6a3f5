package import Domain
package import HTTPTypes
package import Hummingbird
import NIOCore
package import Transparency

/// An RFC 9457 problem. The one form in which doors without an error form of their own say no.
package struct Problem: Sendable {
    package static let contentType = "application/problem+json"

    package let status: HTTPResponse.Status
    /// The last part of the type: `/problems/not-found`.
    package let kind: String
    package let title: String
    package var detail: String?
    /// Members beyond those of the RFC.
    package var more: [(String, JSON)] = []
    package var fields = HTTPFields()

    package init(_ status: HTTPResponse.Status, _ kind: String, _ title: String, detail: String? = nil) {
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
    }

    /// The answer. The id is nil only where there is no request yet.
    package func response(requestID: Domain.RequestID?) -> Response {
        var body: JSON.Object = [:]
        body["type"] = .string("/problems/\(kind)")
        body["title"] = .string(title)
        body["status"] = .integer(status.code)
        body["detail"] = detail.map { .string($0) }
        for (name, value) in more { body[name] = value }
        body["request_id"] = requestID.map { .string($0.description) }
        var fields = fields
        fields[.contentType] = Self.contentType
        fields[.cacheControl] = "no-store"
        return Response(
            status: status,
            headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSON.object(body).bytes))
        )
    }

    /// For refusals below the level of requests, where there is no id yet.
    static func text(ofStatus status: Int, title: String) -> String {
        #"{"type":"about:blank","title":"\#(title)","status":\#(status)}"#
    }

    /// The fixed answer to everything that nobody foresaw. The cause is in the log under the request id.
    package static let internalError = Problem(
        .internalServerError,
        "internal-error",
        "Something went wrong on our side",
        detail: "It is in our log under this request id."
    )
}

extension Problem {
    /// The one problem type and status of each refusal.
    package init(_ error: EdgeError) {
        switch error {
        case .unauthorized, .forbidden, .refused: self.init(access: error)
        case .conflict, .preconditionRequired, .preconditionFailed, .confirmationRequired, .idempotencyKeyReused:
            self.init(state: error)
        case .tooManyRequests(let seconds):
            self.init(.tooManyRequests, "too-many-requests", "Too many requests")
            fields[.retryAfter] = String(seconds)
        case .unavailable(let seconds):
            self.init(.serviceUnavailable, "unavailable", "Not possible just now; try again")
            fields[.retryAfter] = String(seconds)
        default: self.init(request: error)
        }
    }

    private init(access error: EdgeError) {
        switch error {
        case .forbidden(let needs):
            self.init(.forbidden, "forbidden", "Not allowed")
            guard let needs else { return }
            detail = "This needs the scope \(needs)."
            more = [("needed_scope", .string(needs.description))]
            fields[.wwwAuthenticate] = #"Bearer error="insufficient_scope", scope="\#(needs)""#
        case .refused(let refusal):
            self.init(.forbidden, "refused", "Refused by the terms of this credential")
            more = [("reason", .string(refusal.rawValue))]
        case .unauthorized(.invalid):
            self.init(.unauthorized, "unauthorized", "This credential is not accepted")
            fields[.wwwAuthenticate] = #"Bearer error="invalid_token""#
        default:
            self.init(.unauthorized, "unauthorized", "A bearer token is needed")
            fields[.wwwAuthenticate] = "Bearer"
        }
    }

    private init(state error: EdgeError) {
        switch error {
        case .conflict(let detail):
            self.init(.conflict, "conflict", "This contradicts what is there", detail: detail)
        case .preconditionRequired:
            self.init(.preconditionRequired, "precondition-required", "If-Match is needed")
        case .preconditionFailed:
            self.init(.preconditionFailed, "precondition-failed", "It was changed meanwhile; read it again")
        case .confirmationRequired(let confirmation, let detail):
            self.init(.conflict, "confirmation-required", "Look again, then confirm", detail: detail)
            more = [("confirmation", .string(confirmation))]
        default:
            self.init(
                .unprocessableContent,
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request"
            )
        }
    }

    private init(request error: EdgeError) {
        switch error {
        case .methodNotAllowed(let allowed):
            self.init(.methodNotAllowed, "method-not-allowed", "This path does not know that method")
            fields[.allow] = allowed.joined(separator: ", ")
        case .malformed(let detail):
            self.init(.badRequest, "malformed", "The request cannot be read", detail: detail)
        case .invalid(let reasons):
            self.init(.unprocessableContent, "invalid", "Some of this is not acceptable")
            more = [("errors", .array(reasons.map(\.json)))]
        case .payloadTooLarge(let mostBytes):
            self.init(.contentTooLarge, "payload-too-large", "The body is too long")
            more = [("most_bytes", .integer(mostBytes))]
        case .unsupportedMediaType(let accepted):
            self.init(.unsupportedMediaType, "unsupported-media-type", "This kind of body is not taken here")
            detail = "Send \(accepted)."
        case .requestTimeout:
            self.init(.requestTimeout, "request-timeout", "The body took too long to arrive")
        default:
            self.init(.notFound, "not-found", "There is nothing here")
        }
    }
}

extension EdgeError.Reason {
    fileprivate var json: JSON {
        switch place {
        case .pointer(let pointer): ["pointer": .string(pointer), "detail": .string(detail)]
        case .parameter(let name): ["parameter": .string(name), "detail": .string(detail)]
        }
    }
}
