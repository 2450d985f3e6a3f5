import Synchronization

/// Statements that travel together and end with one Sync: sent in one go, answered in one go.
///
/// Outside a transaction the server runs them as one implicit transaction.
///
/// `@unchecked Sendable`: the variables below `ticket` are set before the flight is handed to its wire's loop, and from
/// then on touched on that loop only; `gate` has its own lock.
final class Flight: @unchecked Sendable {
    enum Kind {
        case statements
        /// Text of several statements by the simple protocol, alone on the connection.
        case script(String)
        case commit
        case rollback
        /// Gives up prepared statements. A flight of its own, so that nothing else fails with it.
        case clearing([String])
    }

    enum Step {
        case prepare(SQL)
        case deallocate(String)
        case statement
    }

    enum Phase { case new, held, sent, done }

    struct Outcome: Sendable {
        let results: Result<[ResultHandle], PostgresError>
        /// Where the connection stood when the flight had ended.
        let status: TransactionStatus
    }

    enum TransactionStatus: Sendable {
        case idle, open, failed, lost

        /// Whether no transaction is left to be rolled back.
        var isOver: Bool { self == .idle || self == .lost }
    }

    private struct Gate {
        var wire: Wire?
        var cancelled = false
    }

    let kind: Kind
    /// Refused by a wire that is leased to somebody else by then. Nil for the pool's single statements.
    let lease: Int?
    /// The lease that is in force once this flight has been accepted.
    let nextLease: Int?
    let deadline: Duration?
    private let gate = Mutex(Gate())
    /// Its place in a pool's queue.
    let ticket = Atomic<Int>(0)

    var statements: [SQL]
    /// True when a lost connection leaves open whether the statements took effect.
    var isAutocommit: Bool
    /// Leading statements whose results the caller does not see.
    var hidden = 0
    var phase = Phase.new
    var steps: [Step] = []
    var stepIndex = 0
    var results: [ResultHandle] = []
    var failure: PostgresError?
    var cancelWanted = false
    var wasRepeated = false
    var timer: Int?
    private var complete: (@Sendable (Outcome) -> Void)?
    private var release: (@Sendable (Outcome) -> Void)?

    init(
        _ statements: [SQL],
        kind: Kind = .statements,
        lease: Int?,
        nextLease: Int? = nil,
        isAutocommit: Bool,
        deadline: Duration? = nil
    ) {
        self.statements = statements
        self.kind = kind
        self.lease = lease
        self.nextLease = nextLease
        self.isAutocommit = isAutocommit
        self.deadline = deadline
    }

    /// Must be set before the flight is handed over.
    func whenDone(_ complete: @escaping @Sendable (Outcome) -> Void) {
        self.complete = complete
    }

    /// Called ahead of `whenDone`'s, on the loop, so that the connection serves the next one before the caller wakes.
    func beforeDone(_ release: @escaping @Sendable (Outcome) -> Void) {
        self.release = release
    }

    /// Makes the flight ready to be sent once more.
    func rewind() {
        wasRepeated = true
        steps = []
        stepIndex = 0
        results = []
        failure = nil
    }

    func finish(_ results: Result<[ResultHandle], PostgresError>, status: TransactionStatus) {
        phase = .done
        let complete = self.complete
        self.complete = nil
        let outcome = Outcome(results: results, status: status)
        let release = self.release
        self.release = nil
        release?(outcome)
        complete?(outcome)
    }

    /// Binds the flight to the wire that will carry it. False when it was cancelled before.
    func board(_ wire: Wire) -> Bool {
        gate.withLock { gate in
            gate.wire = wire
            return !gate.cancelled
        }
    }

    /// Asks for an early end. What the server has done already stays done, and is then reported as done.
    func cancel() {
        let wire = gate.withLock { gate in
            gate.cancelled = true
            return gate.wire
        }
        wire?.post { $0.cancel(self) }
    }

    var isCancelled: Bool { gate.withLock { $0.cancelled } }
}
