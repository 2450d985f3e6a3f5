import ArgumentParser
import Transparency

/// How much of a list.
struct PageOptions: ParsableArguments {
    /// What a server gives at once (`/v1` refuses more).
    static let largestPage = 200

    @Option(help: ArgumentHelp("Print at most so many.", valueName: "count"))
    var limit = 50

    @Flag(help: "Print all there are.")
    var all = false

    @Option(help: ArgumentHelp("Go on where a former list ended.", valueName: "cursor"))
    var cursor: String?

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit has to be positive") }
    }
}

/// A list of the API, page by page.
struct Listing {
    let path: String
    var query: [(String, String?)] = []
    let columns: [Column]
    /// The member of a page that says whether there is more, of a list whose cursor never ends.
    var ends: String?

    /// Prints what `page` asks for. A format that can be printed as it arrives is; when the server then fails in the
    /// middle, what was printed stands, and the exit status says partial.
    func print(_ options: ClientOptions, _ page: PageOptions) async throws {
        let client = try options.connection.client()
        let writer = options.output.writer
        var kept: [JSON] = []
        var count = 0
        var cursor = page.cursor
        repeat {
            let wanted = page.all ? PageOptions.largestPage : min(PageOptions.largestPage, page.limit - count)
            let found: (items: [JSON], next: String?)
            do throws(CommandFailure) {
                found = try await fetch(client, cursor: cursor, limit: wanted)
            } catch {
                guard count > 0, writer.canAppend else { throw error }
                throw CommandFailure(.partial, "only the first \(count): \(error.message)")
            }
            if writer.canAppend {
                try writer.append(found.items, columns: columns, isFirst: count == 0)
            } else {
                kept += found.items
            }
            count += found.items.count
            // A page of a filtered list may be empty and still go on. A server that repeats itself must not keep this
            // going for ever.
            cursor = found.next == cursor ? nil : found.next
        } while cursor != nil && (page.all || count < page.limit)
        if !writer.canAppend { try writer.write(kept, columns: columns) }
        if let cursor { Output.note("There are more: --all, or --cursor \(cursor)") }
    }

    private func fetch(
        _ client: APIClient,
        cursor: String?,
        limit: Int
    ) async throws(CommandFailure) -> (items: [JSON], next: String?) {
        let answer = try await client.get(path, query: query + [("cursor", cursor), ("limit", String(limit))])
        guard let items = answer.body["items"]?.array else {
            throw CommandFailure(.failure, "the server's answer is not a list; is --url right?")
        }
        if let ends, answer.body[ends] == false { return (items, nil) }
        return (items, answer.body["next_cursor"]?.string)
    }
}

extension ClientOptions {
    /// Reads one thing and prints it.
    func printOne(_ path: String, columns: [Column]) async throws {
        try output.writer.write(await connection.client().get(path).body, columns: columns)
    }

    /// Does one thing to each of several. Each is tried; when only some could be done, the exit status says partial.
    func forEach(_ ids: [String], _ act: (APIClient, String) async throws(CommandFailure) -> Void) async throws {
        let client = try connection.client()
        var failures: [CommandFailure] = []
        for id in ids {
            do throws(CommandFailure) {
                try await act(client, id)
            } catch {
                if ids.count == 1 { throw error }
                Output.note("\(id): \(error.message)")
                failures.append(error)
            }
        }
        guard let first = failures.first else { return }
        throw CommandFailure(
            failures.count == ids.count ? first.status : .partial,
            "\(failures.count) of \(ids.count) could not be done"
        )
    }
}
