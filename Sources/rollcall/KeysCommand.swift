import App
import ArgumentParser
import AuditLog
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
              rollcall keys checkpoint >checkpoint-key && chmod 600 checkpoint-key
            """,
        subcommands: [Generate.self, Status.self, Checkpoint.self, Signing.self]
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

    struct Checkpoint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a new key that signs the log, or what verifiers need of one that is there.",
            discussion: """
                The file may hold several lines. Each PRIVATE+KEY line signs; to replace a key, put the new one first, \
                let both sign until every verifier knows the new one, then leave of the old one its line of \
                --verifier, by which older checkpoints are believed, and that of --verifier --root. The root log is \
                signed with keys of its own that follow from these.

                EXAMPLES
                  rollcall keys checkpoint >checkpoint-key && chmod 600 checkpoint-key
                  rollcall keys checkpoint --verifier --file checkpoint-key --origin "$ORIGIN"
                  rollcall keys checkpoint --verifier --file checkpoint-key \\
                    --origin rollcall.example/v1/audit/root --root
                """
        )
        @Flag(help: "Print the verifier keys of --file for the log --origin.") var verifier = false
        @Option(help: ArgumentHelp("File of the keys.", valueName: "file")) var file: String?
        @Option(help: ArgumentHelp("Origin of the log, as its checkpoints say it.", valueName: "origin"))
        var origin: String?
        @Flag(help: "With --verifier: the log is the root log of all organizations' checkpoints.") var root = false

        func validate() throws {
            guard verifier || !root else { throw ValidationError("--root goes with --verifier") }
            guard verifier == (file != nil), verifier == (origin != nil) else {
                throw ValidationError("--verifier, --file and --origin go together")
            }
        }

        func run() throws {
            guard let file, let origin else {
                return try Output.standard.write(text: try CheckpointKeys.line(using: SystemRandomness()) + "\n")
            }
            guard let name = NoteKeyName(origin) else {
                throw CommandFailure(.usage, "an origin has no spaces and no plus sign, and at most 255 bytes")
            }
            let keys: LogKeys
            do {
                let all = try CheckpointKeys(
                    parsing: try String(
                        decoding: TextInput.bytes(from: file, limit: TextInput.largestSecret),
                        as: UTF8.self
                    )
                )
                keys = root ? try all.rootKeys(of: name) : try all.keys(of: name)
            } catch let error as CheckpointKeyError {
                throw CommandFailure(.failure, "\(file): \(error)")
            }
            try Output.standard.write(text: keys.current.map { $0.text + "\n" }.joined())
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
