package import Hummingbird
import Logging
import NIOCore
import Transparency

/// `/livez` and `/readyz`, for whoever starts, stops and routes to this process.
///
/// Live means that it answers at all: it asks nothing of others, so that a database that is away gets nobody killed.
/// Ready means that every check holds; the answer names each check and never why one failed, which is in the log.
package struct Probes: Sendable {
    /// One thing that has to hold for this process to be of use.
    package struct Check: Sendable {
        let name: String
        let holds: @Sendable () async throws -> Bool

        /// `name` is shown to everybody who asks.
        package init(_ name: String, holds: @escaping @Sendable () async throws -> Bool) {
            self.name = name
            self.holds = holds
        }
    }

    private let checks: [Check]

    /// Asked in this order, at every request; each has to bound itself.
    package init(checks: [Check]) { self.checks = checks }

    /// Both answer everybody who can reach them.
    package func mount(on router: Router<EdgeContext>) {
        router.get("/livez") { _, _ in JSON.object(["status": "ok"]).response() }
        router.get("/readyz") { _, context in await readiness(context) }
    }

    private func readiness(_ context: EdgeContext) async -> Response {
        var results: JSON.Object = [:]
        var isReady = true
        for check in checks {
            var holds = false
            do { holds = try await check.holds() } catch {
                context.logger.warning(
                    "Readiness check failed",
                    metadata: ["check": .string(check.name), "error": .string(String(reflecting: error))]
                )
            }
            results[check.name] = .string(holds ? "ok" : "failed")
            isReady = isReady && holds
        }
        let body = JSON.object(["status": .string(isReady ? "ok" : "unavailable"), "checks": .object(results)])
        return body.response(status: isReady ? .ok : .serviceUnavailable)
    }
}
