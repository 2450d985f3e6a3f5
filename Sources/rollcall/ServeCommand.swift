import App
import ArgumentParser
import Logging

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve what the settings say.",
        discussion: """
            Settings come from ROLLCALL_* variables, each also as ROLLCALL_*_FILE, over the file of --config, over \
            defaults; `rollcall config show` lists them. Logs go to stderr, one JSON object a line. SIGTERM and SIGINT \
            end it when everything in hand is finished.

            EXAMPLES
              ROLLCALL_CONFIG=/etc/rollcall/rollcall.json rollcall serve
              rollcall serve --config /etc/rollcall/rollcall.json
              ROLLCALL_ROLES=worker rollcall serve --config /etc/rollcall/rollcall.json
            """
    )

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        let reader = try await options.reader()
        try await Program.run {
            let settings = try Settings(reader)
            let registry = Diagnostics.install(level: settings.logLevel)
            let logger = Logger(label: "rollcall")
            try await ServerPreflight.requireSchema(at: settings.databaseDirectURL, logger: logger)
            try await Server(settings: settings, registry: registry, logger: logger).run { port in
                logger.info("Ready", metadata: ["port": "\(port)", "public_url": "\(settings.publicURL)"])
            }
        }
    }
}
