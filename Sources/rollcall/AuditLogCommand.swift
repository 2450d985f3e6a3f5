import ArgumentParser
import Foundation
import Transparency

extension AuditCommand {
    struct Log: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where the organization's log stands, and whether anything is wrong with it.",
            discussion: """
                EXAMPLES
                  rollcall audit log
                  rollcall audit log -o json
                """
        )
        @OptionGroup var client: ClientOptions

        func run() async throws {
            let columns = [
                Column("ORIGIN", "origin"), Column("SIZE", "size"), Column("SIGNED", "checkpoint_size"),
                Column("PUBLISHED", "published_at"), Column("HALTED", "halted"),
            ]
            try await client.printOne("/v1/audit/log", columns: columns)
        }
    }

    struct Checkpoint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the log's checkpoint: keep it, and a later one has to go on from it.",
            discussion: """
                EXAMPLES
                  rollcall audit checkpoint >2026-11-21.checkpoint
                  rollcall-verify range ./log --vkey "$VKEY" --since 2026-11-21.checkpoint
                """
        )
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let log = try await RemoteLog(connection.client())
            try Output.standard.write(text: String(decoding: try await log.checkpoint().note.bytes, as: UTF8.self))
        }
    }

    struct Prove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the receipt of an entry, to be checked without us.",
            discussion: """
                The receipt is a C2SP tlog-proof. With the entry's leaf and a key that you believe, rollcall-verify \
                needs nothing else.

                EXAMPLES
                  rollcall audit prove ent_01… >entry.tlog-proof
                  rollcall audit get ent_01… --leaf >entry.json
                  rollcall-verify entry entry.tlog-proof entry.json --vkey "$VKEY"
                """
        )
        @Argument(help: "Id of the entry.") var id: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let bytes = try await connection.client().file(
                "/v1/audit/entries/\(URLText.escaped(id))/receipt",
                mostBytes: LogProof.largestBytes
            )
            try Output.standard.write(text: String(decoding: bytes, as: UTF8.self))
        }
    }
}

/// The log of the caller's organization on a server, or the root log of all.
struct RemoteLog: Sendable {
    private let client: APIClient
    private let path: String

    init(_ client: APIClient) async throws(CommandFailure) {
        self.client = client
        let identity = try await client.get("/v1/whoami").body
        guard let organization = identity[pointer: "/organization/id"]?.string else {
            throw CommandFailure(.failure, "the server does not say whose token this is; is --url right?")
        }
        path = "/v1/audit/log/\(organization)/"
    }

    /// The root log.
    init(rootOf client: APIClient) {
        self.client = client
        path = "/v1/audit/root/"
    }

    func checkpoint() async throws(CommandFailure) -> SignedCheckpoint {
        do {
            return try SignedCheckpoint(parsing: try await file(.checkpoint, mostBytes: SignedNote.largestBytes))
        } catch let failure as CommandFailure {
            throw failure.status == .notFound
                ? CommandFailure(.notFound, "nothing of the log was signed yet") : failure
        } catch {
            throw CommandFailure(.failure, "the server's checkpoint cannot be read: \(error)")
        }
    }

    func file(_ file: LogFile, mostBytes: Int) async throws(CommandFailure) -> [UInt8] {
        try await client.file(path + file.path, mostBytes: mostBytes)
    }
}

/// A copy of a log in a directory. What is there already and cannot have changed is not fetched again.
struct LogCopy {
    private let remote: RemoteLog
    private let directory: URL
    private let isQuiet: Bool

    /// Files under way at once.
    private static let concurrency = 8
    /// Files between two words on the progress.
    private static let filesPerNote = 1000

    init(of remote: RemoteLog, in directory: String, isQuiet: Bool) {
        self.remote = remote
        self.directory = URL(filePath: directory, directoryHint: .isDirectory)
        self.isQuiet = isQuiet
    }

    func run() async throws {
        let signed = try await remote.checkpoint()
        try refuseOther(signed)
        let size = signed.checkpoint.size
        let files = Self.files(ofSize: size).filter { !isThere($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (count, file) in files.enumerated() {
                if count >= Self.concurrency { try await group.next() }
                if !isQuiet, count > 0, count.isMultiple(of: Self.filesPerNote) {
                    Output.note("\(count) of \(files.count) files")
                }
                group.addTask { try await fetch(file) }
            }
            try await group.waitForAll()
        }
        try write(signed.note.bytes, to: .checkpoint)
        if !isQuiet { Output.note("\(size) entries, \(files.count) files fetched") }
    }

    /// Every file of a log of that size but the checkpoint.
    private static func files(ofSize size: Int) -> [LogFile] {
        var files: [LogFile] = []
        var index = 0
        while let bundle = BundleCoordinate.at(index: index, size: size) {
            files.append(.entries(bundle))
            index += 1
        }
        for level in 0...TileCoordinate.highestLevel {
            var index = 0
            while let tile = TileCoordinate.at(level: level, index: index, size: size) {
                files.append(.tile(tile))
                index += 1
            }
        }
        return files
    }

    /// A directory that holds another log is left as it is.
    private func refuseOther(_ signed: SignedCheckpoint) throws {
        // Missing is the ordinary case of a first copy.
        guard let bytes = try? Data(contentsOf: place(of: .checkpoint)) else { return }
        let held: SignedCheckpoint
        do {
            held = try SignedCheckpoint(parsing: Array(bytes))
        } catch {
            throw CommandFailure(.conflict, "\(directory.path()) has a checkpoint that cannot be read: \(error)")
        }
        guard held.checkpoint.origin == signed.checkpoint.origin else {
            throw CommandFailure(.conflict, "\(directory.path()) holds the log \(held.checkpoint.origin.text)")
        }
        guard held.checkpoint.size <= signed.checkpoint.size else {
            throw CommandFailure(
                .conflict,
                """
                the log was of \(held.checkpoint.size) entries and is of \(signed.checkpoint.size) now: something was \
                taken back. The directory is left as it is; it is evidence
                """
            )
        }
    }

    private func isThere(_ file: LogFile) -> Bool { FileManager.default.fileExists(atPath: place(of: file).path()) }

    private func place(of file: LogFile) -> URL { directory.appending(path: file.path) }

    private func fetch(_ file: LogFile) async throws {
        let most =
            switch file {
            case .checkpoint: SignedNote.largestBytes
            case .tile: TileCoordinate.fullWidth * MerkleHash.length
            case .entries: EntryBundle.largestBytes
            }
        try write(try await remote.file(file, mostBytes: most), to: file)
    }

    /// Whole or not at all: a file that is there is not fetched again.
    private func write(_ bytes: [UInt8], to file: LogFile) throws {
        let place = place(of: file)
        do {
            try FileManager.default.createDirectory(
                at: place.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(bytes).write(to: place, options: .atomic)
        } catch {
            throw CommandFailure(.failure, "\(place.path()) cannot be written: \(error.localizedDescription)")
        }
    }
}
