import App
import ArgumentParser
import Domain
import Transparency

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make and check the keyring: the keys that nothing in the database can be read without.",
        discussion: """
            The keyring is a text file, a line each: id and base64 of 32 bytes. The first key seals and digests what \
            is new; the others open what is older. To rotate, put a new line first and restart every node; keep the \
            old lines. Lose it, and every stored key is unreadable and every token void.

            EXAMPLES
              rollcall keys generate --id 2026-11 >keyring && chmod 600 keyring
              rollcall keys status
            """,
        subcommands: [Generate.self, Status.self]
    )

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a line for a keyring, with a new key.",
            discussion: """
                EXAMPLES
                  rollcall keys generate --id 2026-11 >keyring && chmod 600 keyring
                """
        )
        @Option(help: "Name of the key, to recognise it by; letters, digits, -, _ and .") var id: String

        func validate() throws {
            let isPlain = id.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || "-_.".utf8.contains(byte)
            }
            guard isPlain, (1...32).contains(id.utf8.count) else {
                throw ValidationError("--id is 1 to 32 letters, digits, -, _ and .")
            }
        }

        func run() throws {
            try Output.standard.write(text: Keyring.line(id: id, using: SystemRandomness()) + "\n")
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the keyring of the settings and list its keys, never their content.",
            discussion: """
                EXAMPLES
                  ROLLCALL_KEYRING_FILE=keyring rollcall keys status
                """
        )
        @OptionGroup var options: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            try await Program.run {
                let keyring = try Settings.keyring(try await options.reader())
                let rows = keyring.ids.enumerated().map { place, id -> JSON in
                    ["id": .string(id), "use": .string(place == 0 ? "primary" : "opens only")]
                }
                try output.writer.write(rows, columns: [Column("ID", "id"), Column("USE", "use")])
            }
        }
    }
}
