// benchmarks: what Rollcall can carry, measured from outside. It knows the product by its program, its HTTP doors and its
// database; it imports nothing of it.
//
// `measure` starts the program as often as it needs it, on databases of its own in the cluster that it is given, loads it
// from this process, and prints one table: each figure beside its base, measured in the same run. `bases` is the server
// of the bases, started by `measure` as a process of its own. The cluster, the builds and the end of it all are the
// script's (`run`).

import ArgumentParser
import Foundation

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmarks",
        abstract: "What Rollcall can carry, beside its bases.",
        subcommands: [Measure.self, Bases.self]
    )
}

struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measure, and print the table.")

    @Option(help: "The rollcall program.") var rollcall: String
    @Option(help: "The rollcall-verify program.") var verifier: String
    @Option(help: "Directory of the cluster's socket.") var socket: String
    @Option(help: "Port of the cluster.") var port: Int
    @Option(help: "Directory for logs and the keyring.") var scratch: String
    @Option(help: "Rounds; a base and its figure alternate in each.") var rounds: Int = 3
    @Option(help: "Seconds of one measurement.") var seconds: Double = 5
    @Option(help: "Which figures: deliveries, apply, tokens, checks, endings, verify, audit, export; all by default.")
    var only: [Section] = []
    @Option(help: "Entries of the log that receipts and pages are asked of.") var entries: Int = 10_000_000

    enum Section: String, CaseIterable, ExpressibleByArgument {
        case deliveries
        case apply
        case tokens
        case checks
        case endings
        case verify
        case audit
        case export
    }

    func validate() throws {
        guard (1...20).contains(rounds), (0.5...60).contains(seconds) else {
            throw ValidationError("--rounds is 1 to 20 and --seconds 0.5 to 60")
        }
        guard (2000...100_000_000).contains(entries) else { throw ValidationError("--entries is 2000 to 100000000") }
    }

    func run() throws {
        let cluster = Cluster(socket: socket, port: port)
        let bench = Bench(
            cluster: cluster,
            rollcall: rollcall,
            verifier: verifier,
            scratch: scratch,
            bases: try BaseServer.start(scratch: scratch),
            rounds: rounds,
            seconds: seconds
        )
        defer { bench.bases.process.end() }
        print(try cluster.durability())
        let sections = only.isEmpty ? Section.allCases : only
        var table = Table()
        if sections.contains(.tokens) { try bench.tokens(into: &table) }
        if sections.contains(.checks) { try bench.checks(into: &table) }
        if sections.contains(.endings) { try bench.endings(into: &table) }
        if sections.contains(.apply) { try bench.apply(into: &table) }
        if sections.contains(.deliveries) { try bench.deliveries(into: &table) }
        if sections.contains(.verify) { try bench.verify(into: &table) }
        if sections.contains(.audit) { try bench.audit(into: &table, entries: entries) }
        if sections.contains(.export) { try bench.export(into: &table) }
        print(table.text)
    }
}

/// What every section of figures works with.
struct Bench {
    let cluster: Cluster
    let rollcall: String
    let verifier: String
    let scratch: String
    let bases: BaseServer
    let rounds: Int
    let seconds: Double

    /// Connections that load at once.
    static let connections = 64

    /// Runs `body` on Rollcall on a database of its own, which is dropped afterwards.
    func withRollcall<Value>(
        roles: String = "web,worker,sequencer",
        _ body: (inout System) throws -> Value
    ) throws -> Value {
        var system = try System(cluster: cluster, program: rollcall, scratch: scratch)
        defer { system.remove() }
        try system.serve(roles: roles)
        return try body(&system)
    }

    /// One row a transaction, 64 clients: a receiver that keeps nothing but the body.
    func pgbench() throws -> Double {
        let rate = try cluster.pgbench(clients: Self.connections, seconds: seconds, row: Joiner.body(of: 0))
        note("  pgbench, one row a transaction: \(Int(rate))/s")
        return rate
    }

    func load(
        _ name: String,
        port: Int,
        rate: Double? = nil,
        seconds: Double? = nil,
        most: Int? = nil,
        expecting status: Int,
        onAnswer: ((Int, [UInt8]) -> Void)? = nil,
        request: @escaping (Int) -> [UInt8]
    ) throws -> Load.Outcome {
        let outcome = try Load.run(
            Load.Plan(
                port: port,
                connections: Self.connections,
                rate: rate,
                seconds: seconds ?? self.seconds,
                most: most,
                expected: status,
                request: request,
                onAnswer: onAnswer
            )
        )
        note("  \(name): \(outcome)")
        return outcome
    }
}

/// Progress, beside the table.
func note(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
