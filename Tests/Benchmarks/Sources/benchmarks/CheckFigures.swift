import Foundation

/// Forward-auth checks of one token, each with its committed entry, and what one costs beside the constant route.
extension Bench {
    func checks(into table: inout Table) throws {
        note("forward-auth checks")
        try withRollcall { system in
            let client = try system.client()
            let form = "application/x-www-form-urlencoded"
            let ask = HTTP.post("/oauth/token", body: "grant_type=client_credentials", type: form, basic: client)
            let token = try accessToken(by: ask, of: system)
            let check = HTTP.check("scope=people:read.self&action=bench.read", token: token)
            // Refused before anything is looked up: what is left of a check without token, cache and entry.
            let empty = HTTP.check("scope=people:read.self&action=bench.read", token: nil)
            let constant = HTTP.get("/constant")
            guard try Load.once(port: system.port, check).status == 200 else {
                throw ChildError.unexpected("/authz/check does not pass the token just issued")
            }
            var checks = Pairs()
            var refusals = Pairs()
            var latencies: [Double] = []
            for _ in 0..<rounds {
                let base = try load("constant route", port: bases.port, expecting: 200) { _ in constant }.rate
                checks.bases.append(base)
                refusals.bases.append(base)
                let outcome = try load("checks", port: system.port, expecting: 200) { _ in check }
                checks.figures.append(outcome.rate)
                latencies.append(outcome.percentile(0.99))
                refusals.figures.append(
                    try load("checks without a token", port: system.port, expecting: 401) { _ in empty }.rate
                )
            }
            table.add("/authz/check, each with its entry", checks, of: "constant route", goal: 0.7 * 0.45)
            table.add("  check p99 at that rate", latencies, "ms", below: 10)
            table.add("/authz/check without a token", refusals, of: "constant route", goal: 0.7)
        }
    }
}
