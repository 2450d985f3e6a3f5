import Foundation

/// How long a token is still accepted once the end of its user was answered: on the node that was told, and on another on
/// the same database. What counts is when the last question began that was answered with a yes.
extension Bench {
    func endings(into table: inout Table) throws {
        note("ends of access")
        // Each ends another user: fewer than this tell nothing about the slowest.
        let ends = 10 * rounds
        try withRollcall { system in
            let other = try system.beside(roles: "web")
            defer { other.process.end() }
            var same: [Double] = []
            var elsewhere: [Double] = []
            for number in 0..<ends {
                let client = try system.client(named: "robot\(number)")
                let form = "application/x-www-form-urlencoded"
                let ask = HTTP.post("/oauth/token", body: "grant_type=client_credentials", type: form, basic: client)
                let token = try accessToken(by: ask, of: system)
                let nodes = try [system.port, other.port].map { try Asking(port: $0, token: token) }
                defer { for node in nodes { node.end() } }
                for node in nodes { try node.waitUntil { $0.answers >= 50 } }
                let user = try system.query(
                    "SELECT id FROM users WHERE username = 'robot\(number)'"
                ).trimmingCharacters(in: .whitespacesAndNewlines)
                guard let id = UUID(uuidString: user) else { throw ChildError.unexpected("no user in \(user)") }
                let end = HTTP.post(
                    "/v1/users/\(TypeID.text("usr", id))/deactivate",
                    body: "{}",
                    type: "application/json",
                    bearer: system.admin
                )
                let answer = try Load.once(port: system.port, end)
                let ended = DispatchTime.now()
                guard answer.status == 200 else { throw ChildError.unexpected("deactivating answers \(answer.status)") }
                for node in nodes { try node.waitUntil { $0.isRefused } }
                same.append(nodes[0].accepted(after: ended))
                elsewhere.append(nodes[1].accepted(after: ended))
            }
            note(
                "  same node, slowest of \(ends): \(tenths(same.max() ?? 0)) ms; another: \(tenths(elsewhere.max() ?? 0)) ms"
            )
            table.add("last acceptance after an end, same node, slowest of \(ends)", [same.max() ?? 0], "ms", below: 1)
            table.add("  on another node, median", elsewhere, "ms")
            table.add("  on another node, slowest of \(ends)", [elsewhere.max() ?? 0], "ms", below: 250)
        }
    }
}

/// Asks one node for one token over and over, on a thread and a connection of its own, until it is told to stop or refused.
// Its variables are behind the lock.
private final class Asking: @unchecked Sendable {
    struct State {
        var answers = 0
        var isRefused = false
        var isStopping = false
        var lastAccepted: DispatchTime?
        var fault: String?
    }

    private let lock = NSLock()
    private var state = State()
    private let port: Int
    private let request: [UInt8]

    init(port: Int, token: String) throws {
        self.port = port
        request = Array("GET /v1/whoami HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer \(token)\r\n\r\n".utf8)
        Thread.detachNewThread { [self] in run() }
    }

    /// Milliseconds from `ended` to the begin of the last question that was answered with a yes; 0 for none after it.
    func accepted(after ended: DispatchTime) -> Double {
        let last = locked { $0.lastAccepted }
        guard let last, last > ended else { return 0 }
        return Double(last.uptimeNanoseconds - ended.uptimeNanoseconds) / 1e6
    }

    func waitUntil(_ holds: (State) -> Bool) throws {
        let deadline = Date().addingTimeInterval(ChildProcess.patience)
        while true {
            let now = locked { $0 }
            if holds(now) { return }
            guard now.fault == nil, Date() < deadline else {
                throw ChildError.unexpected("asking the node on port \(port): \(now.fault ?? "no such answer in time")")
            }
            Thread.sleep(forTimeInterval: 0.001)
        }
    }

    func end() { locked { $0.isStopping = true } }

    private func run() {
        while !locked({ $0.isStopping || $0.isRefused }) {
            let began = DispatchTime.now()
            do {
                let status = try Load.once(port: port, request).status
                locked { state in
                    state.answers += 1
                    if status == 200 { state.lastAccepted = began } else { state.isRefused = true }
                }
            } catch {
                locked { $0.fault = "\(error)" }
                return
            }
        }
    }

    private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(&state)
    }
}
