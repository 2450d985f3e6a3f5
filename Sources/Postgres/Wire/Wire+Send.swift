import CLibpq

extension Wire {
    /// Hands every step of `flight` to libpq, which buffers them. False when libpq refuses: the connection is unusable.
    func send(_ flight: Flight) -> Bool {
        guard let connection = unsafe connection else { return false }
        if case .script(let text) = flight.kind {
            return unsafe PQexitPipelineMode(connection) == 1 && PQsendQuery(connection, text) == 1
        }
        if case .clearing(let names) = flight.kind {
            for name in names {
                flight.steps.append(.deallocate(name))
                guard execute(SQL(trusted: "DEALLOCATE \"\(name)\"")) else { return false }
            }
        }
        for statement in flight.statements {
            switch cache?.use(statement) {
            case .none:
                flight.steps.append(.statement)
                guard execute(statement) else { return false }
            case .prepared(let name):
                flight.steps.append(.statement)
                guard execute(statement, prepared: name) else { return false }
            case .prepare(let name):
                flight.steps.append(.prepare(statement))
                flight.steps.append(.statement)
                guard prepare(statement, as: name), execute(statement, prepared: name) else { return false }
            }
        }
        return unsafe PQpipelineSync(connection) == 1
    }

    private func prepare(_ statement: SQL, as name: String) -> Bool {
        guard let connection = unsafe connection else { return false }
        let text = statement.rendered().map(CChar.init(bitPattern:))
        let types = statement.slots.map(\.type)
        return unsafe PQsendPrepare(connection, name, text, Int32(types.count), types) == 1
    }

    /// Sends one execution with every value and result in binary, of a prepared statement or of the text itself.
    private func execute(_ statement: SQL, prepared name: String? = nil) -> Bool {
        guard let connection = unsafe connection else { return false }
        let slots = statement.slots
        let count = Int32(slots.count)
        let lengths = slots.map { Int32(clamping: max(0, $0.length)) }
        let formats = [Int32](repeating: 1, count: slots.count)
        // Not empty, so that values of no bytes have an address too.
        let bytes = statement.values.isEmpty ? [0] : statement.values
        return unsafe bytes.withUnsafeBytes { buffer in
            let values: [UnsafePointer<CChar>?] = unsafe slots.map { slot in
                guard slot.length >= 0, let base = buffer.baseAddress else { return nil }
                return unsafe (base + slot.offset).assumingMemoryBound(to: CChar.self)
            }
            if let name {
                return unsafe PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1) == 1
            }
            let text = statement.rendered().map(CChar.init(bitPattern:))
            let types = slots.map(\.type)
            return unsafe PQsendQueryParams(connection, text, count, types, values, lengths, formats, 1) == 1
        }
    }

    /// Files one result under the step that it answers.
    func record(_ result: ResultHandle, of flight: Flight) {
        let step = flight.stepIndex < flight.steps.count ? flight.steps[flight.stepIndex] : .statement
        switch result.status {
        case PGRES_FATAL_ERROR, PGRES_PIPELINE_ABORTED, PGRES_BAD_RESPONSE:
            switch step {
            case .prepare(let statement): cache?.forget(statement)
            // One that failed itself is unknown to the server already.
            case .deallocate(let name) where result.status == PGRES_PIPELINE_ABORTED: cache?.doom(name)
            case .deallocate, .statement: break
            }
            guard result.status != PGRES_PIPELINE_ABORTED, flight.failure == nil else { return }
            let failure = result.failure
            flight.failure = failure
            if failure.isStaleStatement, case .statement = step { cache?.forgetAll() }
        default:
            if case .statement = step { flight.results.append(result) }
        }
    }

    /// The text of a script has been executed to its end, or to its first error.
    func completeScript(_ flight: Flight) {
        guard let connection = unsafe connection, unsafe PQenterPipelineMode(connection) == 1 else {
            return lose(errorMessage)
        }
        complete(flight)
    }

    var errorMessage: String {
        guard let connection = unsafe connection else { return lossMessage }
        let message = unsafe String(cString: PQerrorMessage(connection)).trimmed
        return message.isEmpty ? "the server closed the connection" : message
    }

    /// Gives the connection up. Every flight that is not answered fails.
    func lose(_ message: String) {
        guard let connection = unsafe connection else { return }
        loop.unwatch(socket)
        unsafe PQfinish(connection)
        unsafe self.connection = nil
        lossMessage = message
        cache = nil
        let flights = inFlight
        let waiting = held
        inFlight = []
        held = []
        for flight in flights {
            if let timer = flight.timer { loop.cancel(timer: timer) }
            var loss = PostgresError.ConnectionLoss(message: message, outcomeUnknown: flight.isAutocommit)
            if case .server(let failure) = flight.failure {
                // The server said itself that it ended the statement.
                loss = PostgresError.ConnectionLoss(message: failure.message, outcomeUnknown: false)
            }
            flight.finish(.failure(.connectionLost(loss)), status: .lost)
        }
        for flight in waiting {
            let loss = PostgresError.ConnectionLoss(message: message, outcomeUnknown: false)
            flight.finish(.failure(.connectionLost(loss)), status: .lost)
        }
        deliverAfterCancel()
        onLoss?()
        onLoss = nil
        onNotification = nil
    }

    func deliverNotifications() {
        while let connection = unsafe connection, let raw = unsafe PQnotifies(connection) {
            let channel = unsafe String(cString: raw.pointee.relname)
            let payload = unsafe raw.pointee.extra.map { unsafe String(cString: $0) } ?? ""
            unsafe PQfreemem(raw)
            onNotification?(.message(channel: channel, payload: payload))
        }
    }
}

extension PostgresError {
    /// The server knows a prepared statement no longer, or would now answer it with other columns.
    var isStaleStatement: Bool {
        guard case .server(let failure) = self else { return false }
        return failure.sqlState == .invalidStatementName
            || failure.sqlState == .featureNotSupported && failure.message.hasPrefix("cached plan")
    }
}
