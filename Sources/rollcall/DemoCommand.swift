import App
import ArgumentParser
import Foundation
import Logging
import Transparency

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Play the main job on a private server, over real HTTP and a real PostgreSQL.",
        discussion: """
            Each step is told as it happens, with what was proved. It ends with the audit trail as a table, and with 0 \
            only if every step held. Without --home everything is removed afterwards.

            EXAMPLES
              rollcall demo
              rollcall demo --home ~/rollcall-demo --port 8090
            """
    )

    @Option(help: ArgumentHelp("Directory to keep; a temporary one by default.", valueName: "directory"))
    var home: String?

    @Option(help: "Port on 127.0.0.1; a free one by default.")
    var port: Int = 0

    func run() async throws {
        try await Program.run {
            let directory = try home ?? Self.temporaryDirectory()
            let server = DevelopmentServer(
                home: try DevelopmentDirectory(directory),
                port: port,
                registry: Diagnostics.install(level: .error),
                logger: Logger(label: "rollcall")
            )
            Output.note("rollcall: starting a private PostgreSQL and the server under \(directory)")
            defer { removeTemporary(directory) }
            try await server.run(stoppingAfterReady: true) { document in
                try await DemoStory(document).play()
            }
        }
        Output.note("\nEvery step held. Go on with `rollcall dev`.")
    }

    /// Made here and now: what somebody else made before, or a link to it, is not taken.
    private static func temporaryDirectory() throws -> String {
        let directory = "/tmp/rollcall-demo-\(ProcessInfo.processInfo.processIdentifier)"
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        } catch {
            throw DevelopmentError.homeUnusable(directory)
        }
        return directory
    }

    private func removeTemporary(_ directory: String) {
        guard home == nil else { return }
        do {
            try FileManager.default.removeItem(atPath: directory)
        } catch {
            Output.note("rollcall: \(directory) could not be removed: \(error.localizedDescription)")
        }
    }
}
