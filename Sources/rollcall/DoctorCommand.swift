import App
import ArgumentParser
import Transparency

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, keyring and database, each with ok, warn or fail and what to do.",
        discussion: """
            Reads the settings that `serve` reads and changes nothing. Ends with 1 if a check failed.

            EXAMPLES
              rollcall doctor
              rollcall doctor --config /etc/rollcall/rollcall.json -o json
            """
    )

    @OptionGroup var options: SettingsOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let reader = try await options.reader()
        let findings = await Doctor(reader).examine()
        let rows = findings.map { finding -> JSON in
            [
                "check": .string(finding.check), "state": .string(finding.state.rawValue),
                "found": .string(finding.found), "fix": finding.fix.map(JSON.string) ?? .null,
            ]
        }
        try output.writer.write(
            rows,
            columns: [
                Column("STATE", "state"), Column("CHECK", "check"), Column("FOUND", "found"), Column("FIX", "fix"),
            ]
        )
        let failed = findings.filter { $0.state == .fail }
        guard failed.isEmpty else { throw CommandFailure(.failure, "\(failed.count) of \(rows.count) checks failed") }
    }
}
