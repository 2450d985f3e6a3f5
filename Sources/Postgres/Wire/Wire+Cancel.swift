import CLibpq
import Glibc

/// What PQcancel needs.
///
/// `@unchecked Sendable`: PQcancel only reads the object and may be called from any thread (libpq, "Canceling Queries in
/// Progress"); PQfreeCancel runs once, in `deinit`.
@safe
final class CancelHandle: @unchecked Sendable {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) { unsafe self.handle = unsafe handle }

    deinit { unsafe PQfreeCancel(handle) }

    /// Blocks until the server has taken the request.
    func send() -> Bool {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            unsafe PQcancel(handle, buffer.baseAddress, Int32(buffer.count)) == 1
        }
    }
}

extension Wire {
    /// Ends `flight` early if that is still possible. A flight that has others behind it on the wire is left to run,
    /// because the request could reach the server late and hit one of those.
    func cancel(_ flight: Flight) {
        switch flight.phase {
        case .new, .done: return
        case .held:
            held.removeAll { $0 === flight }
            flight.finish(.failure(.cancelled), status: status)
        case .sent:
            flight.cancelWanted = true
            cancelFirstIfWanted()
        }
    }

    func cancelFirstIfWanted() {
        guard !cancelling, inFlight.count == 1, inFlight[0].cancelWanted, unsafe connection != nil else { return }
        cancelling = true
        let timeout = loop.schedule(after: configuration.cancelTimeout) {
            self.lose("the statement did not end after it was cancelled")
        }
        if demandsEncryption {
            cancelByStatement(timeout: timeout)
        } else {
            cancelByRequest(timeout: timeout)
        }
    }

    /// PQcancel of this version of libpq opens a connection in clear.
    private func cancelByRequest(timeout: Int) {
        guard let cancelHandle else {
            loop.cancel(timer: timeout)
            return lose("the statement cannot be cancelled")
        }
        // Unstructured, because the wire goes on meanwhile; it ends when PQcancel returns.
        Task {
            let sent = await BlockingThreads.shared.run { cancelHandle.send() }
            self.cancelReturned(sent, timeout: timeout)
        }
    }

    /// Asks the same server on another, encrypted connection. Behind a pooler the process id is not the server's, so
    /// without prepared statements (which no such pooler carries) the connection is given up instead, and the pooler
    /// ends the statement.
    private func cancelByStatement(timeout: Int) {
        guard case .prepared = configuration.statementMode, let endpoint, let connection = unsafe connection else {
            loop.cancel(timer: timeout)
            return lose("the statement was cancelled")
        }
        let process = Int(unsafe PQbackendPID(connection))
        let configuration = configuration
        let names = tableNames
        // Unstructured, because the wire goes on meanwhile; it ends with its own connect and statement deadlines.
        Task {
            let sent = await Self.cancel(process: process, at: endpoint, as: configuration, tableNames: names)
            self.cancelReturned(sent, timeout: timeout)
        }
    }

    private static func cancel(
        process: Int,
        at endpoint: ConnectionTarget.Endpoint,
        as configuration: PostgresConnectionConfiguration,
        tableNames: TableNames
    ) async -> Bool {
        do throws(PostgresError) {
            let target = try ConnectionTarget(configuration.connectionString)
            let wire = Wire(loop: .next(), configuration: configuration, tableNames: tableNames)
            try await wire.connect(to: endpoint, of: target, attributes: "any")
            let question: SQL = "SELECT pg_catalog.pg_cancel_backend(\(process)::integer)"
            let flight = Flight([question], lease: nil, isAutocommit: false, deadline: configuration.cancelTimeout)
            let outcome = await wire.fly(flight, shielded: true)
            await wire.lose("closed")
            if case .success = outcome.results { return true }
            return false
        } catch {
            return false
        }
    }

    private func cancelReturned(_ sent: Bool, timeout: Int) {
        loop.cancel(timer: timeout)
        guard sent else { return lose("the statement could not be cancelled") }
        if inFlight.isEmpty {
            deliverAfterCancel()
            submitHeld()
            return
        }
        // The request is with the server; the answer must follow within the same bound.
        cancelling = false
        inFlight[0].timer.map { loop.cancel(timer: $0) }
        inFlight[0].timer = loop.schedule(after: configuration.cancelTimeout) {
            self.lose("the statement did not end after it was cancelled")
        }
    }

    func deliverAfterCancel() {
        cancelling = false
        let finish = finishAfterCancel
        finishAfterCancel = nil
        finish?()
    }
}
