import App
import ArgumentParser
import Foundation
import Logging
import Transparency

struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Serve everything on this machine, with a private PostgreSQL and two seeded organizations.",
        discussion: """
            Needs PostgreSQL's programs on the machine, and nothing else. Everything stands under the home; when it is \
            ready it writes dev.json there, which --home of other commands reads. Stopping it stops the cluster; \
            starting it again finds everything as it was.

            EXAMPLES
              rollcall dev
              rollcall dev --home ~/rollcall --port 8090
              rollcall person list --home ~/rollcall
            """
    )

    @OptionGroup var place: DevelopmentOptions
    @Flag(help: "Log every step, not only warnings.") var verbose = false

    func run() async throws {
        let level: Logger.Level = verbose ? .debug : .warning
        try await Program.run {
            let home = try place.home("dev")
            let server = DevelopmentServer(
                home: home,
                port: place.port,
                registry: Diagnostics.install(level: level),
                logger: Logger(label: "rollcall")
            )
            Output.note("rollcall: starting under \(home.path)")
            try await server.run { document in
                Output.note(
                    """
                    rollcall: ready at \(document["base_url"]?.string ?? "")
                      rollcall whoami --home \(home.path)
                      rollcall trigger joiner --home \(home.path) --external-id e-1 --user-name ada@acme.example \
                    --department Finance
                      rollcall audit query --home \(home.path)
                    """
                )
            }
        }
    }
}

/// Where a development server lives.
struct DevelopmentOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Directory for everything; made where it is missing.", valueName: "directory"))
    var home: String?

    @Option(help: "Port on 127.0.0.1; 0 takes a free one.")
    var port: Int = 8080

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is a number from 0 to 65535") }
    }

    func home(_ name: String) throws -> DevelopmentDirectory {
        let environment = ProcessInfo.processInfo.environment
        return try DevelopmentDirectory(
            home ?? environment["ROLLCALL_HOME"]
                ?? DevelopmentDirectory.standard(name, environment: environment, isRoot: NSUserName() == "root")
        )
    }
}
