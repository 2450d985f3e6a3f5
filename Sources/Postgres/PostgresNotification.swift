/// What a listening connection hears.
package enum PostgresNotification: Hashable, Sendable {
    case message(channel: String, payload: String)
    /// The connection is there, for the first time or again: whatever was sent before has been missed.
    case reconnected
    /// The connection is lost: from about now on things are missed.
    case disconnected
}
