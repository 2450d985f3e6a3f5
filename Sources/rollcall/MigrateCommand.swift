import App
import ArgumentParser
import Domain
import Logging
import Postgres
import Transparency

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring a database to this program's schema, upward only.",
        discussion: """
            Works on ROLLCALL_DATABASE_DIRECT_URL, as the owner. Of several started at once one migrates and the \
            others wait.

            EXAMPLES
              rollcall migrate plan
              rollcall migrate up
              rollcall migrate status -o json
            """,
        subcommands: [Plan.self, Up.self, Status.self, Verify.self]
    )

    struct Plan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the SQL that `up` would run.",
            discussion: """
                EXAMPLES
                  rollcall migrate plan
                """
        )
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await Program.run {
                let pending = try await options.migrator().plan()
                if pending.isEmpty { Output.note("rollcall: nothing is pending") }
                for migration in pending {
                    try Output.standard.write(
                        text: "-- \(migration.name) (sha256 \(migration.checksum))\n\(migration.sql)\n"
                    )
                }
            }
        }
    }

    struct Up: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply what is pending.",
            discussion: """
                EXAMPLES
                  rollcall migrate up
                """
        )
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await Program.run {
                let applied = try await options.migrator().up()
                if applied.isEmpty { Output.note("rollcall: nothing was pending") }
                for name in applied { try Output.standard.write(text: name + "\n") }
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show each migration and whether it is applied.",
            discussion: """
                EXAMPLES
                  rollcall migrate status
                """
        )
        @OptionGroup var options: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            try await Program.run {
                let rows = try await options.migrator().status().map { status -> JSON in
                    let (word, problem, at) = Self.told(status.state)
                    return [
                        "name": .string(status.name), "file": .string(status.name + ".sql"), "state": .string(word),
                        "problem": problem.map(JSON.string) ?? .null,
                        "applied_at": at.map { .string($0.description) } ?? .null,
                    ]
                }
                try output.writer.write(
                    rows,
                    columns: [
                        Column("FILE", "file"), Column("STATE", "state"), Column("APPLIED AT", "applied_at"),
                        Column("PROBLEM", "problem"),
                    ]
                )
            }
        }

        /// A word for scripts, what is wrong for people, and since when it is applied.
        private static func told(_ state: MigrationStatus.State) -> (String, problem: String?, at: Timestamp?) {
            switch state {
            case .applied(let at): ("applied", nil, Timestamp(microseconds: at.microseconds))
            case .pending: ("pending", nil, nil)
            case .edited: ("edited", "the file was edited after it had been applied", nil)
            case .unknown: ("unknown", "it was applied, and this program does not know it", nil)
            case .outOfOrder: ("out_of_order", "it is not applied, though a later one is", nil)
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End with 0 only if the database's schema is exactly this program's.",
            discussion: """
                EXAMPLES
                  rollcall migrate verify && rollcall serve
                """
        )
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await Program.run { try await options.migrator().verify() }
        }
    }
}

extension SettingsOptions {
    fileprivate func migrator() async throws -> Migrator {
        let url = try Settings.required(.databaseDirectURL, in: try await reader())
        return ServerPreflight.migrator(url, logger: Logger(label: "rollcall"))
    }
}
