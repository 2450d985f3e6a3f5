/// What can go wrong between here and the server.
package enum PostgresError: Error, Sendable {
    /// The server refused the statement; the connection is fine.
    case server(ServerFailure)
    /// The connection ended under the statement.
    case connectionLost(ConnectionLoss)
    /// No host accepted the connection: refused, not authenticated, not verified, or not of the wanted kind.
    case connectFailed(String)
    case connectTimedOut
    /// No connection became free in time; the reason why none could be opened, if that was it.
    case poolTimedOut(lastConnectFailure: String?)
    /// As many callers as the pool admits are waiting already.
    case poolExhausted
    case poolClosed
    case decoding(PostgresDecodingError)
    /// A connection or transaction was used after its closure had ended.
    case transactionEnded
    /// A statement failed, its error was swallowed, and the closure then asked for a commit.
    case transactionAborted
    /// The task was cancelled; the statement had no effect, or was rolled back with its transaction.
    case cancelled
    /// The reason, never the string, which may hold a password.
    case invalidConnectionString(String)
    /// The statement cannot be sent (more than 65,535 values, COPY).
    case unsendable(String)
}

extension PostgresError {
    /// What the server says about a statement that it refused.
    package struct ServerFailure: Error, Hashable, Sendable {
        package let sqlState: SQLState
        package let message: String
        package var detail: String?
        package var hint: String?
        package var schema: String?
        package var table: String?
        package var column: String?
        package var constraint: String?
    }

    /// How a connection was lost.
    package struct ConnectionLoss: Error, Hashable, Sendable {
        package let message: String
        /// True when the server may have committed what was sent: a commit, or a statement outside a transaction.
        package let outcomeUnknown: Bool
    }

    /// The condition, where the server named one.
    package var sqlState: SQLState? {
        if case .server(let failure) = self { failure.sqlState } else { nil }
    }

    /// The constraint that a statement violated.
    package var constraint: String? {
        if case .server(let failure) = self { failure.constraint } else { nil }
    }

    /// True when the same work may succeed later without anybody changing anything.
    package var isTransient: Bool {
        switch self {
        case .connectionLost, .connectFailed, .connectTimedOut, .poolTimedOut, .poolExhausted, .poolClosed: true
        case .decoding, .transactionEnded, .transactionAborted, .cancelled, .invalidConnectionString, .unsendable: false
        case .server(let failure):
            switch failure.sqlState {
            case .lockNotAvailable, .queryCanceled, .idleInTransactionTimeout, .readOnlyTransaction: true
            default: ["08", "40", "53", "57", "58"].contains(failure.sqlState.classCode)
            }
        }
    }
}

/// A value that did not fit, and where it stood.
package struct PostgresDecodingError: Error, Hashable, Sendable {
    /// Nil for a value that is computed, not read from a table.
    package let table: String?
    package let column: String
    /// From 1, in the order of the result.
    package let row: Int
    package let failure: PostgresDecodingFailure?
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .server(let failure): failure.description
        case .connectionLost(let loss):
            "connection lost: \(loss.message)" + (loss.outcomeUnknown ? " (outcome unknown)" : "")
        case .connectFailed(let message): "could not connect: \(message)"
        case .connectTimedOut: "could not connect in time"
        case .poolTimedOut(let reason): "no connection became free in time" + (reason.map { ": \($0)" } ?? "")
        case .poolExhausted: "too many callers wait for a connection"
        case .poolClosed: "the pool is closed"
        case .decoding(let error): error.description
        case .transactionEnded: "the connection was used after its closure had ended"
        case .transactionAborted: "a statement of the transaction failed, so it was rolled back"
        case .cancelled: "cancelled"
        case .invalidConnectionString(let reason): "invalid connection string: \(reason)"
        case .unsendable(let reason): "the statement cannot be sent: \(reason)"
        }
    }
}

extension PostgresError.ServerFailure: CustomStringConvertible {
    package var description: String {
        var parts = ["\(sqlState): \(message)"]
        if let table { parts.append("table \(table)") }
        if let column { parts.append("column \(column)") }
        if let constraint { parts.append("constraint \(constraint)") }
        if let hint { parts.append("hint: \(hint)") }
        return parts.joined(separator: ", ")
    }
}

extension PostgresDecodingError: CustomStringConvertible {
    package var description: String {
        let place = (table.map { $0 + "." } ?? "") + column
        return "\(place), row \(row), " + (failure?.description ?? "is not in the result")
    }
}
