/// Accepted deliveries a second, each verified and committed before its 202.
extension Bench {
    func deliveries(into table: inout Table) throws {
        for (roles, suffix) in [("web,worker,sequencer", ""), ("web", ", worker off")] {
            note("accepted deliveries\(suffix)")
            try withRollcall(roles: roles) { system in
                try system.integrations(1)
                let sender = try system.source()
                try accepted(by: system, from: sender, suffix, into: &table)
            }
        }
    }

    private func accepted(
        by system: System,
        from sender: Sender,
        _ suffix: String,
        into table: inout Table
    ) throws {
        var inserts = Pairs()
        var digests = Pairs()
        var latencies: (p50: [Double], p99: [Double], p99AtHalf: [Double]) = ([], [], [])
        var memory: [Double] = []
        var count = 0
        func next(_: Int) -> [UInt8] {
            count += 1
            return sender.request(id: Joiner.id(of: count), body: Joiner.body(of: count))
        }
        func nextBase(_: Int) -> [UInt8] {
            count += 1
            return sender.request(id: Joiner.id(of: count), body: Joiner.body(of: count), path: "/hmac")
        }
        for _ in 0..<rounds {
            inserts.bases.append(try pgbench())
            digests.bases.append(
                try load("HMAC-only route", port: bases.port, expecting: 202, request: nextBase).rate
            )
            let outcome = try load("deliveries", port: system.port, expecting: 202, request: next)
            inserts.figures.append(outcome.rate)
            digests.figures.append(outcome.rate)
            latencies.p50.append(outcome.percentile(0.5))
            latencies.p99.append(outcome.percentile(0.99))
            let half = try load(
                "deliveries at half that rate",
                port: system.port,
                rate: max(1, outcome.rate / 2),
                expecting: 202,
                request: next
            )
            latencies.p99AtHalf.append(half.percentile(0.99))
            memory.append(system.server?.residentMegabytes.most ?? 0)
        }
        table.add("deliveries accepted\(suffix)", inserts, of: "pgbench inserts", goal: 0.8)
        table.add("deliveries accepted\(suffix)", digests, of: "HMAC-only route", goal: 0.55)
        table.add("  acknowledgement p50 at that rate", latencies.p50, "ms")
        table.add("  acknowledgement p99 at that rate", latencies.p99, "ms")
        table.add("  acknowledgement p99 at half that rate", latencies.p99AtHalf, "ms", below: 15)
        table.add("  resident memory, highest", memory, "MB", below: 150)
    }
}
