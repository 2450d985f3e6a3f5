import Foundation

/// Tokens issued by client credentials, and introspections of one, each with its committed entry.
extension Bench {
    func tokens(into table: inout Table) throws {
        note("tokens and introspections")
        try withRollcall { system in
            let ready = system.readyAfter
            let client = try system.client()
            let form = "application/x-www-form-urlencoded"
            let ask = HTTP.post("/oauth/token", body: "grant_type=client_credentials", type: form, basic: client)
            let token = try accessToken(by: ask, of: system)
            let body = "token=\(token)"
            let introspect = HTTP.post("/oauth/introspect", body: body, type: form, bearer: system.admin)
            let constant = HTTP.post("/constant", body: body, type: form, bearer: system.admin)
            try requireActive(introspect, of: system)
            var introspections = Pairs()
            var issues = Pairs()
            var latencies: [Double] = []
            for _ in 0..<rounds {
                let base = try load("constant route", port: bases.port, expecting: 200) { _ in constant }.rate
                introspections.bases.append(base)
                issues.bases.append(base)
                let outcome = try load("introspections", port: system.port, expecting: 200) { _ in introspect }
                introspections.figures.append(outcome.rate)
                latencies.append(outcome.percentile(0.99))
                issues.figures.append(try load("tokens", port: system.port, expecting: 200) { _ in ask }.rate)
            }
            table.add("introspections, each with its entry", introspections, of: "constant route", goal: 0.6)
            table.add("  introspection p99 at that rate", latencies, "ms", below: 10)
            table.add("client_credentials tokens, stored", issues, of: "constant route", atLeast: 2400)
            table.add("`serve` from start to ready", [ready], "ms", below: 500)
        }
    }

    func accessToken(by ask: [UInt8], of system: System) throws -> String {
        struct Issued: Decodable {
            let token: String
            enum CodingKeys: String, CodingKey { case token = "access_token" }
        }
        let answer = try Load.once(port: system.port, ask)
        guard answer.status == 200 else {
            throw ChildError.unexpected("POST /oauth/token: \(String(decoding: answer.body, as: UTF8.self))")
        }
        return try JSONDecoder().decode(Issued.self, from: Data(answer.body)).token
    }

    /// What is measured has to be the good case.
    private func requireActive(_ introspect: [UInt8], of system: System) throws {
        struct Answer: Decodable { let active: Bool }
        let answer = try Load.once(port: system.port, introspect)
        guard answer.status == 200, try JSONDecoder().decode(Answer.self, from: Data(answer.body)).active else {
            throw ChildError.unexpected("POST /oauth/introspect: \(String(decoding: answer.body, as: UTF8.self))")
        }
    }
}
