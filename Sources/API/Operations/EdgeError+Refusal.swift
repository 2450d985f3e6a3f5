import Domain
import Edge
import Storage

extension EdgeError {
    /// The refusal that an error of a handler stands for; nil: a fault of ours.
    init?(refusal error: any Error) {
        switch error {
        case let error as EdgeError: self = error
        case let refusal as ChangeRefusal: self.init(refusal)
        case let refusal as AccessRefusal: self.init(refusal)
        case is Overload: self = .unavailable(retryAfterSeconds: Self.retryAfterSeconds)
        default: return nil
        }
    }

    private init(_ refusal: ChangeRefusal) {
        switch refusal {
        case .notFound: self = .notFound
        case .conflict(let detail): self = .conflict(detail: detail)
        case .stale: self = .preconditionFailed
        case .invalid(let reasons): self = .invalid(reasons.map { .init($0.pointer, $0.detail) })
        case .confirmationRequired(let value, let detail):
            self = .confirmationRequired(confirmation: value, detail: detail)
        case .idempotencyKeyReused: self = .idempotencyKeyReused
        case .answerNotKept:
            self = .conflict(
                detail: "This request was made before, and its answer held a secret that is shown only once."
            )
        }
    }

    private init(_ refusal: AccessRefusal) {
        switch refusal {
        case .notFound: self = .notFound
        case .invalid: self = .invalid([])
        case .conflict: self = .conflict(detail: "It is not in a state that allows this.")
        case .grantEnded: self = .conflict(detail: "The grant has ended.")
        case .grantSuspended: self = .conflict(detail: "The grant is suspended.")
        case .userDeactivated: self = .conflict(detail: "The user is deactivated.")
        case .integrationDisabled: self = .conflict(detail: "The integration is disabled.")
        default: self = .refused(refusal)
        }
    }

    /// The word by which an entry says why; nil for what is no answer to the caller's request but to the moment.
    var auditReason: String? {
        switch self {
        case .notFound: AccessRefusal.notFound.rawValue
        case .conflict: AccessRefusal.conflict.rawValue
        case .malformed, .invalid, .payloadTooLarge, .unsupportedMediaType: AccessRefusal.invalid.rawValue
        case .preconditionRequired: "precondition_required"
        case .preconditionFailed: "precondition_failed"
        case .confirmationRequired: "confirmation_required"
        case .idempotencyKeyReused: "idempotency_key_reused"
        case .forbidden: AccessRefusal.scopeMissing.rawValue
        case .refused(let refusal): refusal.rawValue
        case .methodNotAllowed, .unauthorized, .requestTimeout, .tooManyRequests, .unavailable: nil
        }
    }
}
