import Domain
package import Edge
import Postgres
import Storage

extension FaultReader {
    /// How the rooms below Edge say that something cannot be done just now. Whatever else they throw is a 500.
    package static let rollcall = FaultReader { error in
        switch error {
        case let error as PostgresError where error.isTransient:
            .unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds)
        case is Overload: .unavailable(retryAfterSeconds: EdgeError.retryAfterSeconds)
        case let refusal as AccessRefusal: .refused(refusal)
        default: nil
        }
    }
}
