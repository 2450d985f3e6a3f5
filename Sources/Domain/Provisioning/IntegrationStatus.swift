/// Whether an integration may act. A disabled one has no users by rule, and its tokens are refused.
package enum IntegrationStatus: String, Sendable, CaseIterable {
    case active
    case disabled
}
