import App
import ArgumentParser
import Evidence
import Foundation
import Glibc
import HTTPTypes
import Synchronization
import SystemPackage
import Transparency

extension ExportFormat: ExpressibleByArgument {}

extension AuditCommand {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Export entries for another system, or as evidence, or copy the log for verifiers.",
            discussion: """
                With --format, entries are written in the order of their indexes. The file has its name only once it \
                is whole; until then it is FILE.partial. A failure says from which index to go on. The export is \
                itself an entry, and holds no personal value.

                With --log, the directory is laid out as C2SP tlog-tiles says. Run again, it fetches what is new: \
                full tiles are not fetched twice. The checkpoint is written last, so that what it covers is there. What \
                vouches for the log stands in its anchor/. --root copies the root log of all organizations' \
                checkpoints, which names none of them.

                With --bundle, the entries that --filter, --from and --to select are written with a receipt each, the \
                checkpoint, what vouches for it, and a manifest with the SHA-256 of every file. --disclose adds what \
                stands behind digests: then each entry is read on its own, and each read is an entry.

                EXAMPLES
                  rollcall audit export --format ndjson --out entries.ndjson
                  rollcall audit export --format csv --filter 'outcome eq "refused"' --out -
                  rollcall audit export --format ocsf --from 41000 --out new.ndjson
                  rollcall audit export --format cef --from 2026-11-01T00:00:00Z --out -
                  rollcall audit export --log ./log
                  rollcall-verify range ./log --vkey "$VKEY"
                  rollcall audit export --root ./root
                  rollcall audit export --bundle ./evidence --filter 'outcome eq "refused"'
                  rollcall-verify bundle ./evidence --policy policy.txt
                """
        )
        @Option(help: ArgumentHelp("Copy the whole log into this directory.", valueName: "directory"))
        var log: String?
        @Option(help: ArgumentHelp("Copy the root log into this directory.", valueName: "directory"))
        var root: String?
        @Option(help: ArgumentHelp("Write a bundle of evidence into this directory.", valueName: "directory"))
        var bundle: String?
        @Flag(help: "With --bundle: also what stands behind digests.") var disclose = false
        @Option(help: "Write entries in this format.") var format: ExportFormat?
        @Option(help: ArgumentHelp("With --format: the file, or - for stdout.", valueName: "file")) var out: String?
        @Option(help: ArgumentHelp("SCIM filter over the leaf's members.", valueName: "filter")) var filter: String?
        @Option(help: ArgumentHelp("First index, or time of recording.", valueName: "index|time")) var from: String?
        @Option(help: ArgumentHelp("Index or time before which it ends.", valueName: "index|time")) var to: String?
        @Flag(help: "Say nothing of the progress.") var quiet = false
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            guard [log, root, bundle, format?.rawValue].count(where: { $0 != nil }) == 1 else {
                throw ValidationError("give one of --log, --root, --bundle and --format")
            }
            guard (format == nil) == (out == nil) else { throw ValidationError("--format and --out go together") }
            if log ?? root != nil, filter != nil || from != nil || to != nil {
                throw ValidationError(
                    "a copy is of the whole log: --filter, --from and --to go with --format or --bundle"
                )
            }
            guard bundle != nil || !disclose else { throw ValidationError("--disclose goes with --bundle") }
        }

        func run() async throws {
            let client = try connection.client()
            if let log {
                // First: what vouches for a checkpoint vouches for one that the copy goes on from.
                let anchor = try await RemoteAnchor.fetch(client)
                try await LogCopy(of: try await RemoteLog(client), in: log, isQuiet: quiet).run()
                try anchor?.write(to: URL(filePath: log).appending(path: BundleFile.anchor))
                return
            }
            if let root {
                return try await LogCopy(of: RemoteLog(rootOf: client), in: root, isQuiet: quiet).run()
            }
            if let bundle {
                return try await BundleExport(
                    client: client,
                    query: .init(filter: filter, from: from, to: to),
                    isDisclosing: disclose,
                    isQuiet: quiet,
                    directory: URL(filePath: bundle, directoryHint: .isDirectory),
                    now: SystemClock().now()
                ).run()
            }
            guard let format, let out else { throw CommandFailure(.usage, "give --format and --out") }
            let export = EntryExport(client: client, format: format, filter: filter, isQuiet: quiet)
            let file = try ExportFile(out)
            do {
                try await export.run(from: from, to: to, into: file)
            } catch {
                file.abandon()
                throw error
            }
            try file.finish()
        }
    }
}

/// Fetches entries stretch by stretch, so that a lost connection costs one stretch.
struct EntryExport: Sendable {
    let client: APIClient
    let format: ExportFormat
    let filter: String?
    let isQuiet: Bool

    /// Indexes of one request. Each request is an entry of the log.
    private static let stretch = 50_000
    private static let mostAttempts = 4
    private static let pause = Duration.seconds(1)

    /// What is in `file` afterwards is whole. On a failure it holds whole stretches only.
    func run(from: String?, to: String?, into file: ExportFile) async throws {
        var (from, to) = (from, to)
        var isFirst = true
        while true {
            let covered = try await fetch(from: from, to: to, isFirst: isFirst, into: file)
            if !isQuiet, covered.to > covered.from || isFirst {
                Output.note("indexes \(covered.from) to \(covered.to) of \(covered.end)")
            }
            guard covered.to < covered.end else { return }
            from = String(covered.to)
            // What is written meanwhile belongs to the next export. A time stays: it leaves out more than an index does.
            if to == nil { to = String(covered.end) }
            isFirst = false
        }
    }

    private func fetch(
        from: String?,
        to: String?,
        isFirst: Bool,
        into file: ExportFile
    ) async throws -> (from: Int, to: Int, end: Int) {
        var attempt = 1
        while true {
            do throws(CommandFailure) {
                let fields = try await client.stream("/v1/audit/export", query: query(from, to, isFirst: isFirst)) {
                    file.append($0)
                }
                guard let covered = Self.indexes(in: fields) else {
                    throw CommandFailure(.failure, "the server does not say what it exported; is --url right?")
                }
                file.keep()
                return covered
            } catch {
                if let failure = file.failure { throw failure }
                let again = "; go on with --from \(from ?? "0")"
                guard error.status == .remoteUnavailable, try file.takeBack() else {
                    throw CommandFailure(file.isEmpty ? error.status : .partial, error.message + (isFirst ? "" : again))
                }
                guard attempt < Self.mostAttempts else {
                    throw CommandFailure(file.isEmpty ? error.status : .partial, error.message + again)
                }
            }
            attempt += 1
            try await Task.sleep(for: Self.pause)
        }
    }

    private func query(_ from: String?, _ to: String?, isFirst: Bool) -> [(String, String?)] {
        // An array has one beginning and one end.
        let limit = format == .cloudeventsBatch ? nil : String(Self.stretch)
        return [
            ("format", format.rawValue), ("filter", filter), ("from", from), ("to", to), ("limit", limit),
            ("heading", isFirst ? nil : "false"),
        ]
    }

    private static func indexes(in fields: HTTPFields) -> (from: Int, to: Int, end: Int)? {
        guard let name = HTTPField.Name("Rollcall-Indexes"), let text = fields[name] else { return nil }
        let numbers = text.split { $0 == "-" || $0 == "/" }.compactMap { Int($0) }
        return numbers.count == 3 ? (numbers[0], numbers[1], numbers[2]) : nil
    }
}

/// Where an export goes: stdout, or a file that gets its name once it is whole.
final class ExportFile: Sendable {
    private let path: FilePath?
    private let descriptor: FileDescriptor
    private let state = Mutex(State())

    private struct State {
        var written: Int64 = 0
        /// As far as whole stretches go.
        var kept: Int64 = 0
        var failure: CommandFailure?
    }

    /// `-` is stdout.
    init(_ path: String) throws(CommandFailure) {
        guard path != "-" else {
            self.path = nil
            descriptor = .standardOutput
            return
        }
        let file = FilePath(path)
        self.path = file
        do {
            descriptor = try FileDescriptor.open(
                Self.partial(file),
                .writeOnly,
                options: [.create, .truncate],
                permissions: [.ownerRead, .ownerWrite]
            )
        } catch {
            throw CommandFailure(.failure, "\(Self.partial(file)) cannot be written: \(error)")
        }
    }

    private static func partial(_ file: FilePath) -> FilePath {
        var name = file
        name.extension = (file.extension.map { $0 + "." } ?? "") + "partial"
        return name
    }

    var isEmpty: Bool { state.withLock { $0.kept == 0 } }
    var failure: CommandFailure? { state.withLock { $0.failure } }

    /// False where it could not be written; then ``failure`` says why.
    func append(_ bytes: [UInt8]) -> Bool {
        state.withLock { state in
            do {
                try descriptor.writeAll(bytes)
                state.written += Int64(bytes.count)
                return true
            } catch {
                state.failure = CommandFailure(.failure, "the export cannot be written: \(error)")
                return false
            }
        }
    }

    /// What was written so far is whole.
    func keep() { state.withLock { $0.kept = $0.written } }

    /// Takes back what is not; false where that cannot be, because somebody has read it.
    func takeBack() throws -> Bool {
        try state.withLock { state in
            guard state.written > state.kept else { return true }
            guard path != nil else { return false }
            try descriptor.resize(to: state.kept)
            try descriptor.seek(offset: state.kept, from: .start)
            state.written = state.kept
            return true
        }
    }

    /// Gives the file its name, once it is on the disk.
    func finish() throws {
        guard let path else { return }
        do {
            try descriptor.closeAfter {
                guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            let whole = Self.partial(path).string
            if FileManager.default.fileExists(atPath: path.string) {
                _ = try FileManager.default.replaceItemAt(URL(filePath: path.string), withItemAt: URL(filePath: whole))
            } else {
                try FileManager.default.moveItem(atPath: whole, toPath: path.string)
            }
        } catch {
            throw CommandFailure(.failure, "\(path) cannot be written: \(error)")
        }
    }

    /// Leaves what is whole under the partial name, and nothing where nothing is.
    func abandon() {
        guard let path else { return }
        // The command fails already, and says why.
        _ = try? takeBack()
        // As above.
        try? descriptor.close()
        // As above.
        if isEmpty { try? FileManager.default.removeItem(atPath: Self.partial(path).string) }
    }
}
