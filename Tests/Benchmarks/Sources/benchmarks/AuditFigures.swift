import Foundation

/// Receipts and pages of a log of many entries, and how fast entries get their index.
extension Bench {
    /// Waiting entries of the sequencing figure.
    private static let waiting = 200_000
    /// Requests a second of receipts and pages: auditors, and not a load.
    private static let questions = 40.0
    private static let reading = ["audit_entries", "audit_index", "audit_tiles"]

    func audit(into table: inout Table, entries: Int) throws {
        note("a log of \(entries) entries")
        try withRollcall(roles: "web") { system in
            let began = Date()
            try system.corpus(entries)
            let made = Date().timeIntervalSince(began)
            try system.serve(roles: "web,sequencer")
            try system.awaitCheckpoint(of: entries)
            let scans = try system.fullScans(of: Self.reading)
            try reading(of: system, entries, into: &table)
            let more = try system.fullScans(of: Self.reading) - scans
            guard more == 0 else { throw ChildError.unexpected("\(more) full scans of the log's tables") }
            table.add("  making a log of \(entries) entries", [made], "s")
            try sequencing(by: &system, into: &table)
        }
    }

    private func reading(of system: System, _ entries: Int, into table: inout Table) throws {
        var receipts: [Double] = []
        var pages: [Double] = []
        var constants: [Double] = []
        func ask(_ name: String, _ path: @escaping () -> String, port: Int? = nil) throws -> Double {
            try load(name, port: port ?? system.port, rate: Self.questions, expecting: 200) { _ in
                HTTP.get(path(), bearer: system.admin)
            }.percentile(0.99)
        }
        for _ in 0..<rounds {
            constants.append(try ask("constant route", { "/constant" }, port: bases.port))
            receipts.append(
                try ask("receipts", { "/v1/audit/entries/\(Corpus.entry(.random(in: 0..<entries)))/receipt" })
            )
            pages.append(
                try ask(
                    "pages of an actor",
                    { "/v1/audit/entries?limit=100&actor=\(Corpus.actor(.random(in: 0..<2000)))" }
                )
            )
        }
        table.add("receipt p99, of \(entries) entries", receipts, "ms", below: 10)
        table.add("page of 100 p99, by an index, of \(entries) entries", pages, "ms", below: 20)
        table.add("  constant route p99 at that rate", constants, "ms")
    }

    /// From the moment that a sequencer finds a heap of entries until all have their index and are signed.
    private func sequencing(by system: inout System, into table: inout Table) throws {
        var rates: [Double] = []
        for _ in 0..<rounds {
            try system.serve(roles: "web")
            try system.wait(Self.waiting)
            let began = Date()
            try system.serve(roles: "web,sequencer")
            try system.awaitNothingPending()
            rates.append(Double(Self.waiting) / Date().timeIntervalSince(began))
        }
        table.add("entries sequenced", rates, atLeast: 10_000)
    }
}

/// Ids of `corpus.sql`.
enum Corpus {
    static func entry(_ number: Int) -> String { id("ent", "019aa00000007001800000", number) }
    static func actor(_ number: Int) -> String { id("usr", "019aa00000007002800000", number) }

    private static func id(_ prefix: String, _ head: String, _ number: Int) -> String {
        let tail = String(number, radix: 16)
        let digits = Array(head + String(repeating: "0", count: 10 - tail.count) + tail)
        let places = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
        let text = places.map { String(digits[$0]) }.joined(separator: "-")
        // A number of 40 bits behind 88 fixed ones is always an id.
        return UUID(uuidString: text).map { TypeID.text(prefix, $0) } ?? text
    }
}

extension System {
    /// Makes the log of this organization, by the script beside the package's manifest.
    func corpus(_ entries: Int) throws {
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../corpus.sql").path()
        try cluster.run(script, in: database, ["organization": "acme", "entries": "\(entries)"])
    }

    func fullScans(of tables: [String]) throws -> Int {
        // What sessions counted is told when they are idle for a second.
        Thread.sleep(forTimeInterval: 2)
        let names = tables.map { "'\($0)'" }.joined(separator: ", ")
        let scans = try query(
            """
            SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables
            WHERE relname IN (\(names)) OR relname LIKE 'audit\\_entries\\_2%'
            """
        )
        return Int(scans) ?? 0
    }

    func awaitCheckpoint(of entries: Int) throws {
        try poll("the log is not signed") {
            try query(
                """
                SELECT coalesce(max(checkpoint_size), 0) >= \(entries) FROM audit_logs WHERE tenant_id IS NOT NULL
                """
            ) == "t"
        }
    }

    func awaitNothingPending() throws {
        try poll("entries still wait for their index") { try query("SELECT count(*) FROM audit_pending") == "0" }
    }

    private func poll(_ fault: String, _ isThere: () throws -> Bool) throws {
        let deadline = Date().addingTimeInterval(600)
        while Date() < deadline {
            if try isThere() { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        throw ChildError.unexpected(fault)
    }

    /// Puts copies of an entry into the queue, each under an id of its own.
    func wait(_ entries: Int) throws {
        _ = try query(
            """
            WITH model AS (SELECT * FROM audit_entries WHERE organization_id = (SELECT organization_id FROM audit_logs
                WHERE tenant_id IS NOT NULL) LIMIT 1),
            made AS (
                INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, actor_id, action, target_id, person_id,
                    outcome)
                SELECT organization_id, gen_random_uuid(), now(), leaf || convert_to(n::text, 'UTF8'), actor_id, action,
                    target_id, person_id, outcome
                FROM model, generate_series(1, \(entries)) AS n
                RETURNING organization_id, id, recorded_at, leaf)
            INSERT INTO audit_pending (organization_id, entry_id, recorded_at, leaf_hash)
            SELECT organization_id, id, recorded_at, sha256('\\x00'::bytea || leaf) FROM made
            """
        )
    }
}
