/// How the program ends. Scripts rely on these numbers.
enum ExitStatus: Int32, Error, Sendable {
    case ok = 0
    case failure = 1
    case usage = 2
    case notFound = 3
    case signInNeeded = 4
    case forbidden = 5
    case conflict = 6
    case remoteUnavailable = 7
    /// Some of what was asked for happened and some did not.
    case partial = 8
    case interrupted = 130
}

/// Why a command ends early: one sentence for a human, and the number for scripts. Holds no secret.
struct CommandFailure: Error, Sendable {
    let status: ExitStatus
    let message: String
    /// What a server wants to be sent again, once somebody looked at what the change would cut off.
    var confirmation: String?

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}
