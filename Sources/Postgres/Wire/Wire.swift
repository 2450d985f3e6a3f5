import CLibpq
import Glibc
import Synchronization

/// One connection of libpq, confined to the thread of its event loop.
///
/// Flights are sent as they come, without waiting for earlier ones (pipeline mode, one Sync each), and answered in
/// order. A wire is leased: flights that carry another lease than the one in force are refused, which is what makes a
/// transaction unusable after its closure. Once lost it stays lost.
@safe
actor Wire {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    nonisolated let configuration: PostgresConnectionConfiguration
    nonisolated let tableNames: TableNames

    /// Nil before connecting and once lost.
    var connection: OpaquePointer?
    var socket: Int32 = -1
    var endpoint: ConnectionTarget.Endpoint?
    var demandsEncryption = false
    var cancelHandle: CancelHandle?
    var cache: StatementCache?
    /// Sent and not yet answered, the one being answered first.
    var inFlight: [Flight] = []
    /// Waiting until a script or a cancellation is over.
    var held: [Flight] = []
    var lease = 0
    /// BEGIN and what goes with it, until the first flight of the lease takes it along.
    var opening: [SQL]?
    var cancelling = false
    /// A flight that ended while its cancellation was still under way.
    var finishAfterCancel: (() -> Void)?
    var watchesWrites = false
    var lossMessage = "not connected"
    var onLoss: (@Sendable () -> Void)?
    var onNotification: (@Sendable (PostgresNotification) -> Void)?

    init(loop: EventLoop, configuration: PostgresConnectionConfiguration, tableNames: TableNames) {
        self.loop = loop
        self.configuration = configuration
        self.tableNames = tableNames
        if case .prepared(let limit) = configuration.statementMode { cache = StatementCache(limit: max(8, limit)) }
    }

    /// A lease that no wire has seen.
    static func newLease() -> Int { leases.wrappingAdd(1, ordering: .relaxed).newValue }
    private static let leases = Atomic<Int>(0)

    /// Runs `body` on the loop, after everything posted before it.
    nonisolated func post(_ body: @escaping @Sendable (isolated Wire) -> Void) {
        loop.execute { self.assumeIsolated(body) }
    }

    /// Sends `flight` and waits for its end. A cancelled task cancels it, unless `shielded`.
    nonisolated func fly(_ flight: Flight, shielded: Bool = false) async -> Flight.Outcome {
        if shielded { return await launch(flight) }
        return await withTaskCancellationHandler {
            await launch(flight)
        } onCancel: {
            flight.cancel()
        }
    }

    private nonisolated func launch(_ flight: Flight) async -> Flight.Outcome {
        await withCheckedContinuation { continuation in
            flight.whenDone { continuation.resume(returning: $0) }
            _ = flight.board(self)
            post { $0.submit(flight) }
        }
    }

    // MARK: Leases

    /// From now on only flights of `lease` are accepted. `opening` goes ahead of the first of them.
    func setLease(_ lease: Int, opening: [SQL]? = nil) {
        self.lease = lease
        self.opening = opening
    }

    /// Ends every lease. True when the connection can serve somebody else.
    func endLease() -> Bool {
        setLease(Self.newLease())
        return status == .idle && inFlight.isEmpty && held.isEmpty
    }

    var status: Flight.TransactionStatus {
        guard let connection = unsafe connection else { return .lost }
        return switch unsafe PQtransactionStatus(connection) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_INERROR: .failed
        case PQTRANS_UNKNOWN: .lost
        default: .open
        }
    }

    // MARK: Sending

    func submit(_ flight: Flight) {
        guard unsafe connection != nil else {
            let loss = PostgresError.ConnectionLoss(message: lossMessage, outcomeUnknown: false)
            return flight.finish(.failure(.connectionLost(loss)), status: .lost)
        }
        if let lease = flight.lease, lease != self.lease {
            return flight.finish(.failure(.transactionEnded), status: status)
        }
        if flight.isCancelled, case .statements = flight.kind {
            return flight.finish(.failure(.cancelled), status: status)
        }
        guard cancelling || !inFlight.isEmpty && (flight.isScript || inFlight[0].isScript) || !held.isEmpty else {
            return transmit(flight)
        }
        flight.phase = .held
        held.append(flight)
    }

    func submitHeld() {
        while !held.isEmpty, !cancelling, inFlight.isEmpty || !(held[0].isScript || inFlight[0].isScript) {
            transmit(held.removeFirst())
        }
    }

    private func transmit(_ flight: Flight) {
        switch flight.kind {
        case .commit, .rollback:
            if let next = flight.nextLease { lease = next }
            if opening != nil, flight.statements.count == 1 {
                // Nothing was sent in this transaction, so there is none.
                opening = nil
                return flight.finish(.success([]), status: status)
            }
        case .statements, .script, .clearing: break
        }
        if let opening {
            flight.statements = opening + flight.statements
            flight.hidden = opening.count
            self.opening = nil
        }
        guard flight.statements.allSatisfy({ $0.slots.count <= Int(UInt16.max) }) else {
            return flight.finish(.failure(.unsendable("more than 65,535 values")), status: status)
        }
        if inFlight.isEmpty, status == .idle, let names = cache?.takeDoomed(), !names.isEmpty {
            guard put(Flight([], kind: .clearing(names), lease: nil, isAutocommit: false)) else {
                lose(errorMessage)
                return submit(flight)
            }
        }
        guard put(flight) else { return lose(errorMessage) }
        flush()
    }

    private func put(_ flight: Flight) -> Bool {
        flight.phase = .sent
        inFlight.append(flight)
        if let deadline = flight.deadline {
            flight.timer = loop.schedule(after: deadline) { self.lose("the statement did not end in time") }
        }
        return send(flight)
    }

    func flush() {
        guard let connection = unsafe connection else { return }
        switch unsafe PQflush(connection) {
        case 0: watch(writes: false)
        case 1: watch(writes: true)
        default: lose(errorMessage)
        }
    }

    // MARK: Receiving

    func watch(writes: Bool) {
        guard writes != watchesWrites else { return }
        watchesWrites = writes
        let events = writes ? shim_readable | shim_writable : shim_readable
        loop.watch(socket, events: events) { self.socketReady($0) }
    }

    func socketReady(_ events: UInt32) {
        guard let connection = unsafe connection else { return }
        var alive = true
        if events & ~shim_writable != 0 {
            alive = unsafe PQconsumeInput(connection) != 0
            receive()
            deliverNotifications()
        }
        guard unsafe self.connection != nil else { return }
        if unsafe PQstatus(connection) == CONNECTION_BAD { alive = false }
        if !alive {
            lose(errorMessage)
        } else if watchesWrites {
            flush()
        }
    }

    private func receive() {
        while let flight = inFlight.first, let connection = unsafe connection {
            if unsafe PQisBusy(connection) != 0 { return }
            guard let raw = unsafe PQgetResult(connection) else {
                if flight.isScript { completeScript(flight) } else { flight.stepIndex += 1 }
                if unsafe PQstatus(connection) == CONNECTION_BAD { return }
                continue
            }
            let result = unsafe ResultHandle(raw, tableNames: tableNames)
            if result.status == PGRES_PIPELINE_SYNC {
                complete(flight)
            } else {
                record(result, of: flight)
            }
            if result.status == PGRES_COPY_IN || result.status == PGRES_COPY_OUT {
                return lose("COPY is not supported")
            }
        }
    }

    /// Takes the first flight off and tells its caller, after learning the names of tables that it read for the first
    /// time.
    func complete(_ flight: Flight) {
        inFlight.removeFirst()
        if let timer = flight.timer { loop.cancel(timer: timer) }
        flight.timer = nil
        let status = self.status
        if flight.isAutocommit, !flight.wasRepeated, status == .idle, flight.failure?.isStaleStatement == true {
            // It was a transaction of its own that had no effect, and the next attempt prepares its statements anew.
            flight.rewind()
            return transmit(flight)
        }
        let failure = flight.failure.map { error -> PostgresError in
            flight.cancelWanted && error.sqlState == .queryCanceled ? .cancelled : error
        }
        let missing = failure == nil ? tableNames.missing(in: flight.results) : []
        guard missing.isEmpty || status == .failed || status == .lost else {
            return learnNames(missing) { self.finish(flight, failure, status) }
        }
        finish(flight, failure, status)
        submitHeld()
    }

    private func finish(_ flight: Flight, _ failure: PostgresError?, _ status: Flight.TransactionStatus) {
        let visible = Array(flight.results.dropFirst(flight.hidden))
        let results: Result<[ResultHandle], PostgresError> = failure.map { .failure($0) } ?? .success(visible)
        if cancelling, flight.cancelWanted {
            finishAfterCancel = { flight.finish(results, status: status) }
        } else {
            flight.finish(results, status: status)
        }
        cancelFirstIfWanted()
    }

    private func learnNames(_ missing: [Int], then finish: @escaping () -> Void) {
        let question = Flight(
            ["SELECT c.oid, c.relname FROM pg_catalog.pg_class c WHERE c.oid = ANY(\(missing)::oid[])"],
            lease: nil,
            isAutocommit: false
        )
        tableNames.learn([], asked: missing)
        let names = tableNames
        let finishing = UncheckedCall(finish)
        question.whenDone { outcome in
            if case .success(let results) = outcome.results, let first = results.first {
                let found = PostgresRows(first).compactMap { row -> (oid: UInt32, name: String)? in
                    // A row that cannot be read only costs the name in a later message.
                    guard let oid = try? row.decode("oid", as: Int.self) else { return nil }
                    // As above.
                    guard let name = try? row.decode("relname", as: String.self) else { return nil }
                    return (UInt32(truncatingIfNeeded: oid), name)
                }
                names.learn(found, asked: [])
            }
            finishing.call()
        }
        submit(question)
    }
}

/// A call that is made on the loop on which it was written.
///
/// `@unchecked Sendable`: a flight's completion runs on the loop of the wire that carries it, and that is the loop whose
/// actor made the closure.
struct UncheckedCall: @unchecked Sendable {
    let call: () -> Void
    init(_ call: @escaping () -> Void) { self.call = call }
}

extension Flight {
    var isScript: Bool { if case .script = kind { true } else { false } }
}
