import App
import ArgumentParser
import Transparency

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Look at the settings.",
        subcommands: [Show.self]
    )

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every setting with its value; secrets are not shown.",
            discussion: """
                EXAMPLES
                  rollcall config show --origin
                  ROLLCALL_ROLES=worker rollcall config show -o json
                """
        )
        @Flag(help: "Say where each value came from.") var origin = false
        @OptionGroup var options: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let reader = try await options.reader()
            let rows = Setting.allCases.map { setting -> JSON in
                var row: JSON.Object = [
                    "name": .string(setting.rawValue), "environment": .string(setting.environmentName),
                ]
                let value = reader[setting]
                row["value"] = setting.isSecret && value != nil ? "(hidden)" : value.map(JSON.string) ?? .null
                if origin { row["origin"] = .string(reader.origin(of: setting).description) }
                row["meaning"] = .string(setting.meaning)
                return .object(row)
            }
            var columns = [Column("ENVIRONMENT", "environment"), Column("VALUE", "value")]
            if origin { columns.append(Column("ORIGIN", "origin")) }
            try output.writer.write(rows, columns: columns + [Column("MEANING", "meaning")])
        }
    }
}
