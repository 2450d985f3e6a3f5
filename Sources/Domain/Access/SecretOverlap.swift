/// How long a replaced client secret works on beside its successor. Raw values are those of the API and stand in entries.
package enum SecretOverlap: String, Sendable, CaseIterable {
    /// It ends at once, and every token with it.
    case none
    case hour = "PT1H"
    case day = "PT24H"
    case week = "P7D"

    /// nil where there is none. Tokens live on where there is one.
    package var duration: Duration? {
        switch self {
        case .none: nil
        case .hour: .seconds(3600)
        case .day: .seconds(86_400)
        case .week: .seconds(7 * 86_400)
        }
    }
}
