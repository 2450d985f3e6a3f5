/// What a listening connection hears.
package enum PostgresNotification: Hashable, Sendable {
    case message(channel: String, payload: String)
    /// The connection was lost and is there again: whatever was sent meanwhile has been missed.
    case reconnected
}
