import ArgumentParser
import Transparency

// The keys of sources: those that an admin adds, and those that a handshake brings.

extension SourceCommand {
    struct AddKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a signing key beside those that are there.",
            discussion: """
                Both keys are good while both are in their time, so that a sender can change over without losing a \
                delivery.

                EXAMPLES
                  rollcall source add-key src_01… --key-file new.txt --label 2027
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Option(help: ArgumentHelp("File with the secret.", valueName: "file")) var keyFile: String
        @Option(help: "What the sender calls the key.") var label: String?
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var notBefore: String?
        @Option(help: ArgumentHelp("RFC 3339.", valueName: "time")) var notAfter: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var key: JSON.Object = ["secret": .string(try TextInput.secret(from: keyFile))]
            key["label"] = .text(label)
            key["not_before"] = .text(notBefore)
            key["not_after"] = .text(notAfter)
            let answer = try await client.connection.client().post(
                "/v1/sources/\(URLText.escaped(id))/keys",
                .object(key)
            )
            try client.output.writer.write(answer.body, columns: keyColumns)
        }
    }

    struct RemoveKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a signing key, never the last one.",
            discussion: """
                `rollcall source get` shows when each key was last used.

                EXAMPLES
                  rollcall source remove-key src_01… key_01…
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Argument(help: "Ids of the keys.") var keys: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(keys) { client, key throws(CommandFailure) in
                _ = try await client.delete("/v1/sources/\(URLText.escaped(id))/keys/\(URLText.escaped(key))")
                Output.note("\(key) is removed")
            }
        }
    }

    struct PendingKeys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List keys that a handshake brought and nobody has confirmed.",
            discussion: """
                EXAMPLES
                  rollcall source pending-keys src_01…
                """
        )
        static let columns = [Column("ID", "id"), Column("RECEIVED", "received_at"), Column("FROM", "client_ip")]

        @Argument(help: "Id of the source.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().get("/v1/sources/\(URLText.escaped(id))/pending-keys")
            try client.output.writer.write(answer.body["items"]?.array ?? [], columns: Self.columns)
        }
    }

    struct ConfirmKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a key that a handshake brought count.",
            discussion: """
                Anybody who knows the hook's URL could have sent it: confirm only what the sender says it sent. The \
                answer shows the key this once, for senders to whom it has to be repeated.

                EXAMPLES
                  rollcall source confirm-key src_01… key_01… -o json
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Argument(help: "Id of the pending key.") var key: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().post(
                "/v1/sources/\(URLText.escaped(id))/pending-keys/\(URLText.escaped(key))/confirm"
            )
            try client.output.writer.write(
                answer.body,
                columns: [Column("ID", "id"), Column("LABEL", "label"), Column("SECRET", "secret")]
            )
        }
    }

    struct DismissKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Dismiss a key that a handshake brought.",
            discussion: """
                EXAMPLES
                  rollcall source dismiss-key src_01… key_01…
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Argument(help: "Ids of the pending keys.") var keys: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(keys) { client, key throws(CommandFailure) in
                _ = try await client.delete("/v1/sources/\(URLText.escaped(id))/pending-keys/\(URLText.escaped(key))")
                Output.note("\(key) is dismissed")
            }
        }
    }
}
