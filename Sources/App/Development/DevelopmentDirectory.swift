import AuditLog
package import Domain
import Foundation
package import Logging
package import Postgres
import SystemPackage
import Transparency

/// The directory of a `rollcall dev`: its private cluster, its keyring, what was seeded, and, while it is ready,
/// `dev.json`.
package struct DevelopmentDirectory: Sendable {
    package let path: String

    /// Where a home is when nobody says: as root in a place that the `postgres` user can reach.
    package static func standard(_ name: String, environment: [String: String], isRoot: Bool) -> String {
        if isRoot { return "/var/lib/rollcall/\(name)" }
        let base = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.local/share"
        return "\(base)/rollcall/\(name)"
    }

    /// Made where it is missing. Passable for the system user that runs the cluster; what is in it is not readable.
    package init(_ path: String) throws {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        self.path = URL(filePath: absolute).standardizedFileURL.path(percentEncoded: false).trimmingSlash
        do {
            try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
            try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: self.path)
        } catch {
            throw DevelopmentError.homeUnusable(self.path)
        }
    }

    /// The home's own PostgreSQL, not yet started. Its socket is in the home; it has no TCP port.
    package func cluster(logger: Logger) -> EmbeddedServer {
        EmbeddedServer(home: FilePath(path + "/cluster"), logger: logger)
    }

    /// The text of the home's keyring, made at the first start.
    package func keyring(using randomness: some Randomness) throws -> String {
        try kept("keyring") { Keyring.line(id: "k1", using: randomness) }
    }

    /// The text of the key that signs the home's logs, made at the first start.
    package func checkpointKey(using randomness: some Randomness) throws -> String {
        try kept("checkpoint-key") { try CheckpointKeys.line(using: randomness) }
    }

    /// Where copies of checkpoints are kept. Beside the cluster that they are to watch, as everything of a home is.
    package func checkpointCopies() throws -> String {
        let directory = path + "/checkpoints"
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw DevelopmentError.homeUnusable(path)
        }
        return directory
    }

    private func kept(_ name: String, _ make: () throws -> String) throws -> String {
        let file = path + "/" + name
        if let text = read(file) { return text }
        let text = try make() + "\n"
        try write(Array(text.utf8), to: file)
        return text
    }

    var seed: JSON? {
        // A seed that cannot be read is made anew.
        read(path + "/seed.json").flatMap { try? JSON.parse(text: $0) }
    }

    func keep(seed: JSON) throws { try write(seed.bytes, to: path + "/seed.json") }

    /// Tells scripts and tests that it is ready, and how to reach it.
    func announce(_ document: JSON) throws { try write(document.bytes + [0x0A], to: path + "/dev.json") }

    /// What an earlier run announced no longer holds.
    func withdraw() throws {
        let file = path + "/dev.json"
        if FileManager.default.fileExists(atPath: file) { try FileManager.default.removeItem(atPath: file) }
    }

    private func read(_ file: String) -> String? {
        // Missing is the ordinary case of a first start.
        try? String(contentsOfFile: file, encoding: .utf8)
    }

    /// Whole or not at all, and readable by nobody else at any moment.
    private func write(_ bytes: [UInt8], to file: String) throws {
        let fresh = file + ".new"
        do {
            let descriptor = try FileDescriptor.open(
                FilePath(fresh),
                .writeOnly,
                options: [.create, .truncate],
                permissions: .ownerReadWrite
            )
            try descriptor.closeAfter { _ = try descriptor.writeAll(bytes) }
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: fresh)
            if FileManager.default.fileExists(atPath: file) {
                _ = try FileManager.default.replaceItemAt(URL(filePath: file), withItemAt: URL(filePath: fresh))
            } else {
                try FileManager.default.moveItem(atPath: fresh, toPath: file)
            }
        } catch {
            throw DevelopmentError.homeUnusable(path)
        }
    }
}

extension String {
    fileprivate var trimmingSlash: String { count > 1 && hasSuffix("/") ? String(dropLast()) : self }
}

/// Why a development server does not come up.
package enum DevelopmentError: Error, Sendable, CustomStringConvertible {
    case homeUnusable(String)
    /// What was asked of the server itself while seeding, and its answer.
    case seedRefused(String, status: Int)
    case portTaken(Int)

    package var description: String {
        switch self {
        case .homeUnusable(let path): "\(path) cannot be made or written; name another directory with --home"
        case .seedRefused(let what, let status): "\(what) was answered \(status) while seeding"
        case .portTaken(let port): "port \(port) is taken; name another with --port, or 0 for a free one"
        }
    }
}
