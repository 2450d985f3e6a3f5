import ArgumentParser
import Foundation
import Transparency

extension AuditCommand {
    struct Query: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find audit entries.",
            discussion: """
                Every option narrows the answer further. Without --mode the newest come first, those too that wait \
                for their index; --mode tail is complete and in the order of indexes, --mode range is newest first \
                in a log of the size that it has now, so that all pages are of one log.

                EXAMPLES
                  rollcall audit query --person per_01…
                  rollcall audit query --actor payroll-ada --since 2026-11-01T00:00:00Z
                  rollcall audit query --action grant.created --all -o csv >grants.csv
                  rollcall audit query --filter 'outcome eq "refused"' -o jsonl
                  rollcall audit query --mode range --filter 'text co "payroll"' --all
                  rollcall audit query --saved qry_01… --all -o jsonl
                """
        )
        @Option(help: "Id or username of who acted.") var actor: String?
        @Option(help: "Id of what was acted upon.") var target: String?
        @Option(help: "Action code.") var action: String?
        @Option(help: "Id of the person concerned.") var person: String?
        @Option(help: ArgumentHelp("Recorded at or after; RFC 3339.", valueName: "time")) var since: String?
        @Option(help: ArgumentHelp("Recorded before; RFC 3339.", valueName: "time")) var until: String?
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @Option(help: "tail or range.") var mode: Mode?
        @Option(help: ArgumentHelp("Id of a saved query.", valueName: "id")) var saved: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var client: ClientOptions

        enum Mode: String, ExpressibleByArgument, CaseIterable {
            case tail
            case range
        }

        func validate() throws {
            if saved != nil, mode != nil || filter != nil {
                throw ValidationError("a saved query has its own --mode and --filter")
            }
            let own = [actor, target, action, person, since, until]
            if mode != nil || saved != nil, own.contains(where: { $0 != nil }) {
                throw ValidationError("with --mode and --saved the question is one --filter")
            }
        }

        func run() async throws {
            guard mode == nil, saved == nil else {
                let query = [("mode", mode?.rawValue), ("query", saved), ("filter", filter)]
                return try await Listing(path: "/v1/audit/search", query: query, columns: indexed, ends: "has_more")
                    .print(client, page)
            }
            try await Listing(
                path: "/v1/audit/entries",
                query: [
                    ("actor", actor), ("target", target), ("action", action), ("person", person), ("since", since),
                    ("until", until), ("filter", filter),
                ],
                columns: columns
            ).print(client, page)
        }
    }

    /// As ``columns``, with the index in front.
    static let indexed = [Column("INDEX", "index")] + columns

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print entries in the order of their indexes, and with --follow those that come.",
            discussion: """
                One JSON value a line. The last line on stderr says the cursor with which to go on: nothing is \
                printed twice, and nothing is left out.

                EXAMPLES
                  rollcall audit tail
                  rollcall audit tail --follow --filter 'outcome eq "refused"'
                  rollcall audit tail --from 41000
                """
        )
        @Option(help: ArgumentHelp("SCIM filter over the JSON names.", valueName: "filter")) var filter: String?
        @Option(help: ArgumentHelp("The first index.", valueName: "index")) var from: Int?
        @Option(help: ArgumentHelp("Go on where a former one ended.", valueName: "cursor")) var cursor: String?
        @Flag(help: "Wait for what comes.") var follow = false
        @OptionGroup var connection: ConnectionOptions

        /// Between two looks at a log that has nothing new. Each look is an entry, which itself would be new.
        private static let pause = Duration.seconds(5)

        func run() async throws {
            let api = try connection.client()
            var whole = filter
            if let from {
                let start = "index ge \(from)"
                whole = filter.map { "\(start) and (\($0))" } ?? start
            }
            var cursor = cursor
            defer { if let cursor { Output.note("--cursor \(cursor)") } }
            while true {
                let query = [
                    ("mode", "tail"), ("filter", whole), ("cursor", cursor), ("limit", String(PageOptions.largestPage)),
                ]
                let answer = try await api.get("/v1/audit/search", query: query).body
                guard let items = answer["items"]?.array, let next = answer["next_cursor"]?.string else {
                    throw CommandFailure(.failure, "the server's answer is not a page of a log; is --url right?")
                }
                try Output(format: .jsonl).write(items, columns: indexed)
                cursor = next
                if answer["has_more"] == true { continue }
                guard follow else { return }
                try await Task.sleep(for: Self.pause)
            }
        }
    }

    struct SavedQuery: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "saved",
            abstract: "Questions to the log that are asked again.",
            subcommands: [List.self, Create.self, Remove.self]
        )

        static let columns = [
            Column("ID", "id"), Column("NAME", "name"), Column("MODE", "mode"), Column("FILTER", "filter"),
        ]

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List saved queries.",
                discussion: """
                    EXAMPLES
                      rollcall audit saved list
                    """
            )
            @OptionGroup var page: PageOptions
            @OptionGroup var client: ClientOptions

            func run() async throws {
                try await Listing(path: "/v1/audit/queries", columns: SavedQuery.columns).print(client, page)
            }
        }

        struct Create: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Save a query for every auditor and security admin.",
                discussion: """
                    EXAMPLES
                      rollcall audit saved create Refusals --mode range \\
                        --filter 'outcome eq "refused"'
                    """
            )
            @Argument(help: "What it is called.") var name: String
            @Option(help: "tail or range.") var mode: Query.Mode = .range
            @Option(help: ArgumentHelp("SCIM filter.", valueName: "filter")) var filter: String?
            @OptionGroup var client: ClientOptions

            func run() async throws {
                let body: JSON = [
                    "name": .string(name), "mode": .string(mode.rawValue),
                    "filter": filter.map(JSON.string) ?? .null,
                ]
                let made = try await client.connection.client().post("/v1/audit/queries", body).body
                try client.output.writer.write(made, columns: SavedQuery.columns)
            }
        }

        struct Remove: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Forget saved queries.",
                discussion: """
                    EXAMPLES
                      rollcall audit saved remove qry_01…
                    """
            )
            @Argument(help: "Ids of the queries.") var ids: [String]
            @OptionGroup var client: ClientOptions

            func run() async throws {
                try await client.forEach(ids) { api, id throws(CommandFailure) in
                    _ = try await api.delete("/v1/audit/queries/" + URLText.escaped(id))
                }
            }
        }
    }
}
