import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct ConnectionTests {
    private func connect(_ mode: StatementMode = .prepared) async throws -> PostgresConnection {
        let server = try await TestCluster.shared.server
        return try await PostgresConnection.connect(
            PostgresConnectionConfiguration(connectionString: server.connectionString(), statementMode: mode)
        )
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `values come back as they were bound`(mode: StatementMode) async throws {
        let connection = try await connect(mode)
        let uuid = UUID()
        let nothing: Int? = nil
        let strings: [String?] = ["a", nil, "", "Zoë 🐘 '\"\\"]
        for _ in 0..<3 {
            let row = try await connection.query(
                """
                SELECT \(true) AS bool, \(Int16(-7)) AS i2, \(Int32.min) AS i4, \(Int.max) AS i8, \(1.5) AS f8,
                       \("Zoë 🐘") AS text, \([UInt8]([0, 255, 7])) AS bytes, \(uuid) AS uuid,
                       \(PostgresTimestamp(microseconds: 1_700_000_000_123_456)) AS at,
                       \(PostgresDate(days: -1)) AS day, \(PostgresJSON(text: #"{"a": 1}"#)) AS json,
                       \(strings) AS strings, \([Int]([])) AS none, \([[UInt8]]([[1], []])) AS byteses,
                       \(nothing) AS null, \(Date(timeIntervalSince1970: 1.25)) AS date
                """
            )[0]
            #expect(try row.decode("bool", as: Bool.self))
            #expect(try row.decode("i2", as: Int16.self) == -7)
            #expect(try row.decode("i4", as: Int.self) == Int(Int32.min))
            #expect(try row.decode("i8", as: Int64.self) == .max)
            #expect(try row.decode("f8", as: Double.self) == 1.5)
            #expect(try row.decode("text", as: String.self) == "Zoë 🐘")
            #expect(try row.decode("bytes", as: [UInt8].self) == [0, 255, 7])
            #expect(try row.decode("uuid", as: UUID.self) == uuid)
            #expect(try row.decode("at", as: PostgresTimestamp.self).microseconds == 1_700_000_000_123_456)
            #expect(try row.decode("day", as: PostgresDate.self).days == -1)
            #expect(try row.decode("json", as: PostgresJSON.self).text == #"{"a": 1}"#)
            #expect(try row.decode("strings", as: [String?].self) == strings)
            #expect(try row.decode("none", as: [Int].self) == [])
            #expect(try row.decode("byteses", as: [[UInt8]].self) == [[1], []])
            #expect(try row.decode("null", as: Int?.self) == nil)
            #expect(try row.decode("date", as: Date.self) == Date(timeIntervalSince1970: 1.25))
        }
        let day = try await connection.query("SELECT (\(PostgresDate(days: 0)))::text AS day, now() AS at")[0]
        #expect(try day.decode("day", as: String.self) == "1970-01-01")
        await connection.close()
    }

    @Test func `text in a value never becomes part of the statement`() async throws {
        let database = try await TestDatabase.create()
        try await database.query("CREATE TABLE victim (id int)")
        for attempt in ["'; DROP TABLE victim; --", "$1", "\\'; DELETE FROM victim", "a\u{0}b", "\"; --"] {
            do {
                let rows = try await database.query("SELECT \(attempt) AS back")
                #expect(try rows[0].decode("back", as: String.self) == attempt)
            } catch let error as PostgresError {
                // PostgreSQL has no U+0000 in text.
                #expect(error.sqlState == SQLState(rawValue: "22021") && attempt.contains("\u{0}"))
            }
        }
        let left = try await database.query("SELECT count(*) AS n FROM pg_class WHERE relname = 'victim'")
        #expect(try left[0].decode("n", as: Int.self) == 1)
    }

    @Test func `parts are joined with their values renumbered`() async throws {
        let connection = try await connect()
        let part: SQL = "\(2) + \(3)"
        let whole: SQL = "SELECT \(1) + (\(part)) AS sum, " + SQL.join(["\("x")", "\("y")"], separator: " || ")
        #expect(whole.description == "SELECT $1 + ($2 + $3) AS sum, $4 || $5")
        #expect(try await connection.query(whole + " AS text")[0].decode("sum", as: Int.self) == 6)
        #expect(try await connection.query(whole + " AS text")[0].decode("text", as: String.self) == "xy")
    }

    @Test func `a value that does not fit names table, column and row`() async throws {
        let database = try await TestDatabase.create()
        try await database.query("CREATE TABLE person (name text)")
        try await database.query("INSERT INTO person VALUES ('a'), (NULL)")
        let rows = try await database.query("SELECT name FROM person ORDER BY name NULLS LAST")
        let error = #expect(throws: PostgresError.self) { try rows[1].decode("name", as: String.self) }
        #expect(error?.description == "person.name, row 2, is null")
        let type = #expect(throws: PostgresError.self) { try rows[0].decode("name", as: Int.self) }
        #expect(type?.description == "person.name, row 1, is text, not an integer")
        let missing = #expect(throws: PostgresError.self) { try rows[0].decode("nome", as: Int.self) }
        #expect(missing?.description == "nome, row 1, is not in the result")
        let big = try await database.query("SELECT 70000 AS big")
        let fit = #expect(throws: PostgresError.self) { try big[0].decode("big", as: Int16.self) }
        #expect(fit?.description == "big, row 1, is malformed: 70000 does not fit Int16")
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `an error of the server has its SQLSTATE and constraint and leaves the connection good`(
        mode: StatementMode
    ) async throws {
        let database = try await TestDatabase.create()
        let connection = try await PostgresConnection.connect(
            PostgresConnectionConfiguration(connectionString: database.connectionString, statementMode: mode)
        )
        _ = try await connection.query("CREATE TABLE t (id int CONSTRAINT t_key PRIMARY KEY)")
        _ = try await connection.query("INSERT INTO t VALUES (1)")
        for _ in 0..<3 {
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query("INSERT INTO t VALUES (\(1))")
            }
            #expect(error?.sqlState == .uniqueViolation && error?.constraint == "t_key")
            let syntax = await #expect(throws: PostgresError.self) { try await connection.query("SELEC \(1)") }
            #expect(syntax?.sqlState?.classCode == "42")
        }
        #expect(try await connection.query("SELECT id FROM t").count == 1)
    }

    @Test(arguments: [StatementMode.prepared, .unnamed])
    func `a pipeline is one transaction`(mode: StatementMode) async throws {
        let database = try await TestDatabase.create()
        let connection = try await PostgresConnection.connect(
            PostgresConnectionConfiguration(connectionString: database.connectionString, statementMode: mode)
        )
        _ = try await connection.query("CREATE TABLE t (id int PRIMARY KEY)")
        let results = try await connection.pipeline([
            "SELECT set_config('x.y', 'z', true)", "INSERT INTO t VALUES (\(1)), (\(2))",
            "SELECT current_setting('x.y') AS v",
        ])
        #expect(results[1].affected == 2)
        #expect(try results[2][0].decode("v", as: String.self) == "z")
        await #expect(throws: PostgresError.self) {
            try await connection.pipeline(["INSERT INTO t VALUES (\(3))", "INSERT INTO t VALUES (\(1))"])
        }
        #expect(try await connection.query("SELECT id FROM t").count == 2)
    }

    @Test func `concurrent statements share the connection and each gets its own answer`() async throws {
        let connection = try await connect()
        try await withThrowingTaskGroup { group in
            for number in 0..<200 {
                group.addTask {
                    let row = try await connection.query("SELECT \(number) AS n, pg_sleep(0)")[0]
                    return (number, try row.decode("n", as: Int.self))
                }
            }
            for try await (sent, received) in group { #expect(sent == received) }
        }
    }

    @Test func `more statements than the cache holds and statements whose table changed still work`() async throws {
        let database = try await TestDatabase.create()
        let connection = try await PostgresConnection.connect(
            PostgresConnectionConfiguration(
                connectionString: database.connectionString,
                statementMode: .prepared(cacheLimit: 8)
            )
        )
        var statement: SQL = "SELECT 0"
        for number in 1...30 {
            statement += " + \(number)"
            let sum = try await connection.query(statement + " AS sum")[0].decode("sum", as: Int.self)
            #expect(sum == number * (number + 1) / 2)
        }
        let held = try await connection.query("SELECT count(*) AS n FROM pg_prepared_statements")
        #expect(try held[0].decode("n", as: Int.self) <= 9)
        _ = try await connection.query("CREATE TABLE t (a int)")
        let read: SQL = "SELECT * FROM t"
        _ = try await connection.query(read)
        _ = try await connection.query("ALTER TABLE t ALTER a TYPE text")
        #expect(try await connection.query(read).isEmpty)
        _ = try await connection.query("DEALLOCATE ALL")
        for _ in 0..<3 { #expect(try await connection.query(read).isEmpty) }
        _ = try await connection.query("ALTER TABLE t ALTER a TYPE bytea USING NULL")
        let stale = await #expect(throws: PostgresError.self) {
            try await connection.transaction { transaction in try await transaction.query(read) }
        }
        #expect(stale?.sqlState == .featureNotSupported)
        let fresh = try await connection.transaction { transaction in try await transaction.query(read) }
        #expect(fresh.isEmpty)
    }

    @Test func `large values and many rows pass`() async throws {
        let connection = try await connect()
        let blob = [UInt8](repeating: 7, count: 20_000_000)
        let back = try await connection.query("SELECT \(blob) AS blob")[0].decode("blob", as: [UInt8].self)
        #expect(back == blob)
        let rows = try await connection.query("SELECT n FROM generate_series(1, 100000) n")
        #expect(try rows.last?.decode("n", as: Int.self) == 100_000)
    }

    @Test func `more values than the protocol has are refused before they are sent`() async throws {
        let connection = try await connect()
        let values = (0..<70_000).map { number -> SQL in "\(number)" }
        let many = "SELECT " + SQL.join(values, separator: " + ")
        let error = await #expect(throws: PostgresError.self) { try await connection.query(many) }
        guard case .unsendable = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(try await connection.query("SELECT 1").count == 1)
    }

    @Test func `limits hold for the session`() async throws {
        let server = try await TestCluster.shared.server
        let limits = SessionLimits(statementTimeout: .seconds(1), lockTimeout: nil)
        let connection = try await PostgresConnection.connect(
            PostgresConnectionConfiguration(connectionString: server.connectionString(), limits: limits)
        )
        let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT pg_sleep(20)") }
        #expect(error?.sqlState == .queryCanceled && error?.isTransient == true)
        #expect(try await connection.query("SELECT 1").count == 1)
    }

    @Test func `a closed connection says so`() async throws {
        let connection = try await connect()
        await connection.close()
        let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
        guard case .connectionLost(let loss) = error else { return #expect(Bool(false)) }
        #expect(!loss.outcomeUnknown)
    }
}
