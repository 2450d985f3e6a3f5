import ArgumentParser
import Transparency

struct HoldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "Legal holds: what one names is neither erased nor does it expire.",
        subcommands: [List.self, Get.self, Create.self, Lift.self]
    )

    static let columns = [
        Column("ID", "id"), Column("KIND", "kind"), Column("MATTER", "matter"),
        Column("HOLDS", "person", "filter", "since"), Column("CREATED", "created_at"), Column("LIFTED", "lifted_at"),
    ]

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List legal holds, lifted ones too.",
            discussion: """
                EXAMPLES
                  rollcall hold list
                  rollcall hold list --filter 'not (lifted_at pr)'
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Listing(path: "/v1/holds", query: [("filter", filter)], columns: columns).print(client, page)
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a legal hold.",
            discussion: """
                EXAMPLES
                  rollcall hold get hld_01…
                """
        )
        @Argument(help: "Id of the hold.") var id: String
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.printOne("/v1/holds/" + URLText.escaped(id), columns: columns)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Place a legal hold, on one of four things.",
            discussion: """
                For security admins. Without --person, --since and --filter it holds everything of the \
                organization. A filter is over entries of the log: whoever has one that it selects is held.

                EXAMPLES
                  rollcall hold create --matter 'Case 2026-11' --person per_01…
                  rollcall hold create --matter 'Case 2026-11'
                  rollcall hold create --matter Audit \\
                    --since 2026-01-01T00:00:00Z --until 2026-07-01T00:00:00Z
                  rollcall hold create --matter 'Payroll' --filter 'action eq "grant.created"'
                """
        )
        @Option(help: "Why. No part of the log.") var matter: String
        @Option(help: "Id of the person whom it holds.") var person: String?
        @Option(help: "Holds what was received or recorded at or after.") var since: String?
        @Option(help: "… and before.") var until: String?
        @Option(help: "Holds people of whom the log has such an entry.") var filter: String?
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let isTime = since != nil || until != nil
            let kind = person != nil ? "person" : isTime ? "time" : filter != nil ? "query" : "organization"
            var hold: JSON.Object = ["kind": .string(kind), "matter": .string(matter)]
            for (name, value) in [("person", person), ("since", since), ("until", until), ("filter", filter)] {
                if let value { hold[name] = .string(value) }
            }
            let answer = try await client.connection.client().post("/v1/holds", .object(hold)).body
            try client.output.writer.write(answer, columns: columns)
        }
    }

    struct Lift: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lift legal holds; erasures that they kept waiting are executed.",
            discussion: """
                EXAMPLES
                  rollcall hold lift hld_01…
                """
        )
        @Argument(help: "Ids of the holds.") var ids: [String]
        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await client.forEach(ids) { client, id throws(CommandFailure) in
                _ = try await client.post("/v1/holds/\(URLText.escaped(id))/lift")
                Output.note("\(id) is lifted")
            }
        }
    }
}
