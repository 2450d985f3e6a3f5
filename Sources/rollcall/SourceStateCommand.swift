import ArgumentParser
import Transparency

// What an admin decides of a source in one word.

extension SourceCommand {
    /// Changes each, and says so.
    static func change(_ ids: [String], _ change: JSON, _ note: String, _ client: ClientOptions) async throws {
        try await client.forEach(ids) { client, id throws(CommandFailure) in
            _ = try await client.patch("/v1/sources/" + URLText.escaped(id), change)
            Output.note("\(id) \(note)")
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep what a source sends, and apply none of it.",
            discussion: """
                Deliveries are accepted and kept. What they say is applied in order once the source \
                is resumed. Leavers wait too.

                EXAMPLES
                  rollcall source pause src_01…
                """
        )
        @Argument(help: "Ids of the sources.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await SourceCommand.change(ids, ["status": "paused"], "is paused", client)
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply what a source sends, and what waited.",
            discussion: """
                Also takes up a disabled source again.

                EXAMPLES
                  rollcall source resume src_01…
                """
        )
        @Argument(help: "Ids of the sources.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await SourceCommand.change(ids, ["status": "active"], "is active", client)
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take nothing from a source any more.",
            discussion: """
                Its hook answers 410, after which many senders stop for good. What was accepted \
                before is applied.

                EXAMPLES
                  rollcall source disable src_01…
                """
        )
        @Argument(help: "Ids of the sources.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await SourceCommand.change(ids, ["status": "disabled"], "is disabled", client)
        }
    }

    struct AcceptUnproved: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply what a source says though no proof covers it.",
            discussion: """
                For senders whose proof does not cover the body. Whoever knows the token or the hook \
                can then say anything. Releases the events that are held. The decision is recorded.

                EXAMPLES
                  rollcall source accept-unproved src_01…
                """
        )
        @Argument(help: "Ids of the sources.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await SourceCommand.change(
                ids,
                ["accept_unproved_bodies": true],
                "is believed without a proof of the body",
                client
            )
        }
    }

    struct HoldUnproved: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hold what a source says where no proof covers it.",
            discussion: """
                New events of such bodies wait from then on. What was released stays released.

                EXAMPLES
                  rollcall source hold-unproved src_01…
                """
        )
        @Argument(help: "Ids of the sources.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await SourceCommand.change(
                ids,
                ["accept_unproved_bodies": false],
                "is no longer believed without a proof of the body",
                client
            )
        }
    }
}
