import CLibpq
import Glibc

extension Wire {
    /// Connects to the first address that answers in time and is of the wanted kind.
    static func open(
        _ configuration: PostgresConnectionConfiguration,
        tableNames: TableNames
    ) async throws(PostgresError) -> Wire {
        let target = try ConnectionTarget(configuration.connectionString)
        let endpoints = try await target.resolved()
        var failures: [PostgresError] = []
        for attributes in target.sessionAttributes {
            for endpoint in endpoints {
                if Task.isCancelled { throw .cancelled }
                let wire = Wire(loop: .next(), configuration: configuration, tableNames: tableNames)
                do throws(PostgresError) {
                    try await wire.connect(to: endpoint, of: target, attributes: attributes)
                    return wire
                } catch {
                    failures.append(error)
                }
            }
        }
        throw Self.summary(of: failures)
    }

    /// One failure as it is; several as one that names each.
    private static func summary(of failures: [PostgresError]) -> PostgresError {
        if failures.count == 1 { return failures[0] }
        let allTimedOut = failures.allSatisfy { if case .connectTimedOut = $0 { true } else { false } }
        if allTimedOut { return .connectTimedOut }
        let messages = failures.map { failure in
            if case .connectFailed(let message) = failure { message } else { failure.description }
        }
        return .connectFailed(messages.joined(separator: "; "))
    }

    func connect(
        to endpoint: ConnectionTarget.Endpoint,
        of target: ConnectionTarget,
        attributes: String
    ) async throws(PostgresError) {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        var options = Self.defaults.merging(target.options) { _, given in given }
        if !endpoint.host.isEmpty { options["host"] = endpoint.host }
        options["hostaddr"] = endpoint.address
        options["port"] = endpoint.port
        options["target_session_attrs"] = attributes
        guard let connection = unsafe Self.start(options) else { throw .connectFailed("out of memory") }
        unsafe self.connection = connection
        do throws(PostgresError) {
            try await establish(until: deadline)
        } catch {
            unsafe PQfinish(connection)
            unsafe self.connection = nil
            throw error
        }
        self.endpoint = endpoint
        demandsEncryption = target.demandsEncryption
        cancelHandle = unsafe PQgetCancel(connection).map { unsafe CancelHandle($0) }
        // Notices would go to standard error.
        unsafe PQsetNoticeProcessor(connection, { _, _ in }, nil)
        guard unsafe PQsetnonblocking(connection, 1) == 0, unsafe PQenterPipelineMode(connection) == 1 else {
            throw .connectFailed(errorMessage)
        }
        socket = unsafe PQsocket(connection)
        loop.watch(socket, events: shim_readable) { self.socketReady($0) }
        try await beginSession(until: deadline)
    }

    /// Options in force unless the connection string says otherwise. A peer that vanishes is noticed within about a
    /// minute; Kerberos is not tried, since it would block.
    private static let defaults = [
        "client_encoding": "UTF8",
        "fallback_application_name": "rollcall",
        "gssencmode": "disable",
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
    ]

    private static func start(_ options: [String: String]) -> OpaquePointer? {
        var keywords: [UnsafePointer<CChar>?] = unsafe []
        var values: [UnsafePointer<CChar>?] = unsafe []
        for (keyword, value) in options {
            unsafe keywords.append(UnsafePointer(strdup(keyword)))
            unsafe values.append(UnsafePointer(strdup(value)))
        }
        unsafe keywords.append(nil)
        unsafe values.append(nil)
        defer {
            // An index, because swift-format 6.3.1 breaks `for unsafe`.
            let texts = unsafe keywords + values
            for index in unsafe texts.indices { unsafe free(UnsafeMutablePointer(mutating: texts[index])) }
        }
        return unsafe PQconnectStartParams(keywords, values, 0)
    }

    private func establish(until deadline: ContinuousClock.Instant) async throws(PostgresError) {
        guard let connection = unsafe connection, unsafe PQstatus(connection) != CONNECTION_BAD else {
            throw .connectFailed(errorMessage)
        }
        var wanted = shim_writable
        while true {
            guard await ready(unsafe PQsocket(connection), wanted, until: deadline) else { throw .connectTimedOut }
            switch unsafe PQconnectPoll(connection) {
            case PGRES_POLLING_READING: wanted = shim_readable
            case PGRES_POLLING_WRITING: wanted = shim_writable
            case PGRES_POLLING_OK: return
            default: throw .connectFailed(errorMessage)
            }
        }
    }

    /// Waits until `descriptor` is ready; false when that did not come in time.
    private func ready(
        _ descriptor: Int32,
        _ events: UInt32,
        until deadline: ContinuousClock.Instant
    ) async -> Bool {
        let remaining = ContinuousClock.now.duration(to: deadline)
        let loop = loop
        return await withCheckedContinuation { continuation in
            let timer = loop.schedule(after: remaining) {
                loop.unwatch(descriptor)
                continuation.resume(returning: false)
            }
            loop.watch(descriptor, events: events) { _ in
                loop.unwatch(descriptor)
                loop.cancel(timer: timer)
                continuation.resume(returning: true)
            }
        }
    }

    private func beginSession(until deadline: ContinuousClock.Instant) async throws(PostgresError) {
        guard case .prepared = configuration.statementMode, let limits = configuration.limits.statement(local: false)
        else { return }
        let remaining = ContinuousClock.now.duration(to: deadline)
        let flight = Flight([limits], lease: nil, isAutocommit: false, deadline: remaining)
        switch await fly(flight, shielded: true).results {
        case .success: return
        case .failure(.connectionLost): throw .connectTimedOut
        case .failure(let error):
            lose("the session could not be set up")
            throw error
        }
    }
}
