package import Domain
import Foundation
import Glibc
import NIOPosix
package import SystemPackage
package import Transparency

/// The last checkpoint of each log, outside the database, in a directory that every sequencer of the deployment reaches.
///
/// What it is for: a database that was restored or failed over knows less than was signed, or other things; this copy
/// tells. So it has to be somewhere that is not restored together with the database.
///
/// Invariants:
/// - A copy is replaced only by whoever holds the log's lock and saw the very copy that it replaces.
/// - A new copy is of a larger log, and durable under its own name before the former is removed: at any moment the whole
///   file of the largest size is the copy. A file that was cut off by a crash is not whole, and counts for nothing.
package struct CheckpointCopies: Sendable {
    private let directory: FilePath

    /// How long a lock is waited for that another one holds, and in which steps.
    private static let lockPatience = Duration.seconds(5)
    private static let lockPause = Duration.milliseconds(10)

    /// The directory has to exist: one that is not mounted is not made up.
    package init(directory: String) {
        self.directory = FilePath(directory)
    }

    /// Why the copies cannot be reached. Never the same as a copy that is missing.
    package enum Fault: Error, Sendable, CustomStringConvertible {
        case unreachable(String, Errno)
        case locked(String)

        package var description: String {
            switch self {
            case .unreachable(let path, let error): "\(path): \(error)"
            case .locked(let path): "\(path) is locked by another process"
            }
        }
    }

    /// The copy of an organization's log.
    package func copy(of organization: OrganizationID) async throws -> OutsideCopy {
        try await withLock(of: organization) { place in
            try newest(in: place).map { .held($0.signed) } ?? .missing
        }
    }

    /// Replaces the copy, only if it is still `old` (nil: none), and makes the new one durable. nil when it was replaced,
    /// else what is there instead.
    package func swap(
        _ old: SignedCheckpoint?,
        for new: SignedCheckpoint,
        of organization: OrganizationID
    ) async throws -> OutsideCopy? {
        try await withLock(of: organization) { place in
            let found = try newest(in: place)
            guard found?.signed == old else { return found.map { .held($0.signed) } ?? .missing }
            let path = place.appending(Self.name(size: new.checkpoint.size))
            try write(new, to: path)
            try sync(place)
            if let found, found.path != path { try remove(found.path) }
            return nil
        }
    }

    /// Has `signed` be the copy whatever there was, and none where it is nil: an operator's decision.
    package func adopt(_ signed: SignedCheckpoint?, of organization: OrganizationID) async throws {
        try await withLock(of: organization) { place in
            for path in try files(in: place) { try remove(path) }
            if let signed { try write(signed, to: place.appending(Self.name(size: signed.checkpoint.size))) }
            try sync(place)
        }
    }
}

// MARK: - Files

extension CheckpointCopies {
    private static let ending = ".checkpoint"

    /// Sizes in twenty digits, so that names sort as sizes do.
    private static func name(size: Int) -> String {
        let digits = String(size)
        return String(repeating: "0", count: 20 - digits.count) + digits + ending
    }

    /// Runs on a thread that may wait for a disk, under the lock of the log.
    private func withLock<Output: Sendable>(
        of organization: OrganizationID,
        _ body: @escaping @Sendable (FilePath) throws -> Output
    ) async throws -> Output {
        let place = directory.appending(organization.description)
        let deadline = ContinuousClock.now + Self.lockPatience
        while true {
            let done = try await NIOThreadPool.singleton.runIfActive { () throws -> Output? in
                try attemptLocked(place, body)
            }
            if let done { return done }
            guard ContinuousClock.now < deadline else { throw Fault.locked(place.string) }
            try await Task.sleep(for: Self.lockPause)
        }
    }

    /// nil where another process holds the lock.
    private func attemptLocked<Output>(_ place: FilePath, _ body: (FilePath) throws -> Output) throws -> Output? {
        try reaching(directory) {
            let whole = try FileDescriptor.open(directory, .readOnly, options: [.directory])
            try whole.close()
        }
        let isNew = !FileManager.default.fileExists(atPath: place.string)
        if isNew {
            try FileManager.default.createDirectory(
                atPath: place.string,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            try sync(directory)
        }
        let lock = try reaching(place) {
            try FileDescriptor.open(
                place.appending("lock"),
                .readWrite,
                options: [.create, .closeOnExec],
                permissions: .ownerReadWrite
            )
        }
        return try lock.closeAfter {
            guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
                if errno == EWOULDBLOCK { return nil }
                throw Fault.unreachable(place.string, Errno(rawValue: errno))
            }
            return try body(place)
        }
    }

    private func files(in place: FilePath) throws -> [FilePath] {
        try FileManager.default.contentsOfDirectory(atPath: place.string)
            .filter { $0.hasSuffix(Self.ending) }
            .sorted()
            .map { place.appending($0) }
    }

    private func newest(in place: FilePath) throws -> (path: FilePath, signed: SignedCheckpoint)? {
        let files = try files(in: place)
        for path in files.reversed() {
            let bytes = Array(try Data(contentsOf: URL(filePath: path.string)))
            // Cut off by a crash while it was written: the one before is the copy.
            if let signed = try? SignedCheckpoint(parsing: bytes) { return (path, signed) }
        }
        // A first copy that was cut off was never the copy.
        return nil
    }

    private func write(_ signed: SignedCheckpoint, to path: FilePath) throws {
        try reaching(path) {
            let file = try FileDescriptor.open(
                path,
                .writeOnly,
                options: [.create, .truncate],
                permissions: .ownerReadWrite
            )
            try file.closeAfter {
                _ = try file.writeAll(signed.note.bytes)
                guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
        }
    }

    private func remove(_ path: FilePath) throws {
        try FileManager.default.removeItem(atPath: path.string)
    }

    /// Makes names that were given and taken in a directory durable.
    private func sync(_ place: FilePath) throws {
        try reaching(place) {
            let file = try FileDescriptor.open(place, .readOnly, options: [.directory])
            try file.closeAfter { guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) } }
        }
    }

    private func reaching<Output>(_ path: FilePath, _ body: () throws -> Output) throws -> Output {
        do {
            return try body()
        } catch let error as Errno {
            throw Fault.unreachable(path.string, error)
        }
    }
}
