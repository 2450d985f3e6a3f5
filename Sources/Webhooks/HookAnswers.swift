import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

// What a sender is answered, by its profile. Faults of ours are not here: they are 503, whatever the profile.

extension CachedHook {
    /// That the delivery is kept, with the code that the sender takes for success.
    func accepted(_ receipt: DeliveryAcceptance.Receipt) -> Response {
        success(["delivery": .string(receipt.delivery.description)])
    }

    /// Success without a delivery: what the sender sent says nothing of anybody.
    func success(_ body: JSON = .object([:])) -> Response {
        let status = HTTPResponse.Status(code: profile.response.success)
        // RFC 8935 2.2 wants an empty body, and 204 can have none.
        if profile.response.rejectForm == .securityEvent || status == .noContent { return Response(status: status) }
        return body.response(status: status)
    }

    /// That the proof does not hold.
    func refused(_ refusal: Verdict.Refusal, _ context: EdgeContext) -> Response {
        let status = HTTPResponse.Status(code: profile.response.reject)
        switch profile.response.rejectForm {
        case .problem:
            var problem = Problem(status, "signature-refused", "The proof of this delivery is not accepted")
            problem.more = [("reason", .string(refusal.rawValue))]
            return problem.response(requestID: context.requestID)
        case .securityEvent:
            // RFC 8935 2.3.
            let body: JSON = [
                "err": .string(refusal.securityEventError), "description": .string(refusal.rawValue),
            ]
            return body.response(status: status, fields: [.contentLanguage: "en"])
        }
    }
}

extension Problem {
    /// An admin ended this hook. Many senders stop for good after a 410, which is what was meant.
    static let disabled = Problem(.gone, "source-disabled", "This hook is no longer in use")
    /// The client is in none of the networks that the source's admin named.
    static let addressNotAllowed = Problem(.forbidden, "address-not-allowed", "Not from this address")
}
