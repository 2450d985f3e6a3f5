import Domain
import Edge
import HTTPTypes
import Hummingbird

/// How a check says no. Its body is small: some proxies hand it to the client.
enum CheckRefusal: Error {
    case missingToken
    case invalidToken
    case insufficientScope(ScopeSet)
    /// Also for whoever is no proxy. The word is for the operator; who asked is not told.
    case forbidden(String)
    case unavailable(retryAfterSeconds: Int)

    static func limited(after wait: Duration) -> CheckRefusal {
        .unavailable(retryAfterSeconds: CallerLimits.seconds(of: wait))
    }

    /// One of a fixed set, for the metric.
    var word: String {
        switch self {
        case .missingToken: "token_missing"
        case .invalidToken: "token_invalid"
        case .insufficientScope: AccessRefusal.scopeMissing.rawValue
        case .forbidden(let word): word
        case .unavailable: "limited"
        }
    }

    func response(_ context: EdgeContext) -> Response {
        var problem: Problem
        switch self {
        case .missingToken: problem = Problem(.unauthorized(.missing))
        case .invalidToken: problem = Problem(.unauthorized(.invalid))
        case .insufficientScope(let scopes):
            problem = Problem(.forbidden(needs: nil))
            problem.fields[.wwwAuthenticate] = #"Bearer error="insufficient_scope", scope="\#(scopes.joined)""#
        case .forbidden: problem = Problem(.forbidden(needs: nil))
        case .unavailable(let seconds): problem = Problem(.unavailable(retryAfterSeconds: seconds))
        }
        return problem.response(requestID: context.requestID)
    }
}
