import ArgumentParser
import Domain
import Storage
import Transparency

extension KeysCommand {
    /// Works on the database as the owner, with the keyring; no server is needed.
    struct Signing: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The keys that access tokens are signed with.",
            discussion: """
                They are made by Rollcall, sealed in the database, and follow each other by themselves every 30 days: \
                the next is published an hour before it signs, the former for an hour after.
                """,
            subcommands: [List.self, Rotate.self, End.self]
        )

        static let columns = [Column("ID", "id"), Column("STATE", "state"), Column("SIGNS FROM", "signs_from")]

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List them with what each does now.",
                discussion: """
                    EXAMPLES
                      rollcall keys signing list
                    """
            )
            @OptionGroup var options: SettingsOptions
            @OptionGroup var output: OutputOptions

            func run() async throws {
                try await options.withOwnersStore { try await Signing.write(to: output, from: $0) }
            }
        }

        struct Rotate: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Publish the next key now; it signs in an hour.",
                discussion: """
                    EXAMPLES
                      rollcall keys signing rotate
                    """
            )
            @OptionGroup var options: SettingsOptions
            @OptionGroup var output: OutputOptions

            func run() async throws {
                try await options.withOwnersStore { store in
                    let (schedule, now) = try await store.tokenKeys()
                    guard !schedule.states(at: now).contains(where: { $0.state == .waiting }) else {
                        throw CommandFailure(.conflict, "the next key is published already: rollcall keys signing list")
                    }
                    _ = try await store.rotateTokenKeys(isWanted: true)
                    try await Signing.write(to: output, from: store)
                }
            }
        }

        struct End: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Take a key out at once: somebody else may have it.",
                discussion: """
                    What it signed is refused by whoever asks for the keys again. Nodes follow within a minute. If it \
                    was the one that signs, a new one signs at once.

                    EXAMPLES
                      rollcall keys signing end oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U
                    """
            )
            @Argument(help: "Its id, the `kid` of the tokens that it signed.") var id: String
            @OptionGroup var options: SettingsOptions
            @OptionGroup var output: OutputOptions

            func run() async throws {
                try await options.withOwnersStore { store in
                    guard try await store.endTokenKey(id) else {
                        throw CommandFailure(.notFound, "there is no key \(id)")
                    }
                    try await Signing.write(to: output, from: store)
                }
            }
        }

        private static func write(to output: OutputOptions, from store: Store) async throws {
            let (schedule, now) = try await store.tokenKeys()
            let rows = schedule.states(at: now).map { entry, state -> JSON in
                [
                    "id": .string(entry.key.id), "state": .string(state.rawValue),
                    "made_at": .string(entry.madeAt.description), "signs_from": .string(entry.signsFrom.description),
                ]
            }
            try output.writer.write(rows, columns: columns)
        }
    }
}
