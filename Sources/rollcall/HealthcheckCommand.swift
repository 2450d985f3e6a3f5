import ArgumentParser
import HTTPTypes
import Outbound

struct HealthcheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask a server whether it is ready; for containers and supervisors.",
        discussion: """
            Ends with 0 when it is, with 1 when it answers that it is not, with 7 when it does not answer.

            EXAMPLES
              rollcall healthcheck http://127.0.0.1:8080
              rollcall healthcheck --home ~/rollcall --live
            """
    )
    @Argument(help: "Base URL of the server; else --home, or ROLLCALL_URL.") var url: String?
    @Option(help: ArgumentHelp("Home of a `rollcall dev`.", valueName: "directory")) var home: String?
    @Flag(help: "Ask only whether the process lives, not whether it can serve.") var live = false

    func run() async throws {
        guard let base = try ConnectionOptions.baseURL(url: url, home: home) else {
            throw CommandFailure(.usage, "no server: give its base URL or --home, or set ROLLCALL_URL")
        }
        let path = live ? "/livez" : "/readyz"
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await OutboundClient(policy: .operatorChosen).send(
                OutboundRequest(
                    url: (base.hasSuffix("/") ? String(base.dropLast()) : base) + path,
                    limits: OutboundLimits(total: .seconds(5), connect: .seconds(2))
                )
            )
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else {
            throw CommandFailure(.failure, "not \(live ? "alive" : "ready"): \(response.status.code)")
        }
    }
}
