import ArgumentParser
import Transparency

// The keys of sources: those that an admin adds, and those that a handshake brings.

extension SourceCommand {
    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the signing keys of a source, and when each was last used.",
            discussion: """
                While a sender changes over from one key to another, this shows which of them it \
                signs with.

                EXAMPLES
                  rollcall source keys src_01…
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let source = try await client.connection.client().get("/v1/sources/\(URLText.escaped(id))").body
            let last = source["key_used_last"]?.string
            let keys = (source["keys"]?.array ?? []).map { key in
                guard var shown = key.object else { return key }
                shown["used_last"] = .bool(last != nil && shown["id"]?.string == last)
                return JSON.object(shown)
            }
            try client.output.writer.write(keys, columns: keyColumns + [Column("USED LAST", "used_last")])
        }
    }

    struct UpdateKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change what a signing key is called and when it counts.",
            discussion: """
                Give the old key an end once the sender signs with the new one. `never` and `always` \
                take an end and a beginning away.

                EXAMPLES
                  rollcall source update-key src_01… key_01… --not-after 2026-12-01T00:00:00Z
                  rollcall source update-key src_01… key_01… --label old --not-after never
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Argument(help: "Id of the key.") var key: String
        @Option(help: "What the sender calls the key.") var label: String?
        @Option(help: ArgumentHelp("RFC 3339, or always.", valueName: "time")) var notBefore: String?
        @Option(help: ArgumentHelp("RFC 3339, or never.", valueName: "time")) var notAfter: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            var change: JSON.Object = [:]
            if let label { change["label"] = .string(label) }
            if let notBefore { change["not_before"] = notBefore == "always" ? .null : .string(notBefore) }
            if let notAfter { change["not_after"] = notAfter == "never" ? .null : .string(notAfter) }
            if change.members.isEmpty {
                throw CommandFailure(.usage, "nothing to change: give --label, --not-before or --not-after")
            }
            let path = "/v1/sources/\(URLText.escaped(id))/keys/\(URLText.escaped(key))"
            let answer = try await client.connection.client().patch(path, .object(change))
            try client.output.writer.write(answer.body, columns: keyColumns)
        }
    }

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
                The fingerprint is the beginning of the key's SHA-256 in hex.

                EXAMPLES
                  rollcall source pending-keys src_01…
                """
        )
        static let columns = [
            Column("ID", "id"), Column("RECEIVED", "received_at"), Column("FROM", "client_ip"),
            Column("FINGERPRINT", "fingerprint"), Column("REVEALED", "revealed_at"),
        ]

        @Argument(help: "Id of the source.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().get("/v1/sources/\(URLText.escaped(id))/pending-keys")
            try client.output.writer.write(answer.body["items"]?.array ?? [], columns: Self.columns)
        }
    }

    struct RevealKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a key that a handshake brought, once.",
            discussion: """
                To compare it with what the sender's page shows, before it is confirmed. That it was \
                shown, and to whom, is recorded.

                EXAMPLES
                  rollcall source reveal-key src_01… key_01…
                """
        )
        @Argument(help: "Id of the source.") var id: String
        @Argument(help: "Id of the pending key.") var key: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let answer = try await client.connection.client().post(
                "/v1/sources/\(URLText.escaped(id))/pending-keys/\(URLText.escaped(key))/reveal"
            )
            try client.output.writer.write(
                answer.body,
                columns: [Column("ID", "id"), Column("FROM", "client_ip"), Column("SECRET", "secret")]
            )
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
