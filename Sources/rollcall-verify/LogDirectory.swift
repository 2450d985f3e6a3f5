import Foundation
import Transparency

/// Files that are named on the command line.
enum InputFile {
    /// Refuses a file that is not there, and one of more bytes.
    static func bytes(_ path: String, atMost most: Int) throws -> [UInt8] {
        let file: FileHandle
        do {
            file = try FileHandle(forReadingFrom: URL(filePath: path))
        } catch {
            guard FileManager.default.fileExists(atPath: path) else { throw Fault(.missing, path, "it is not there") }
            throw Failure(code: Failure.failed, message: "\(path): it cannot be read")
        }
        defer { file.closeFile() }
        let found: Data?
        do {
            found = try file.read(upToCount: most + 1)
        } catch {
            throw Failure(code: Failure.failed, message: "\(path): it cannot be read")
        }
        guard let found else { return [] }
        guard found.count <= most else { throw Fault(.malformed, path, "it has more than \(most) bytes") }
        return Array(found)
    }

    static func checkpoint(_ path: String) throws -> SignedCheckpoint {
        let bytes = try bytes(path, atMost: SignedNote.largestBytes)
        do throws(NoteError) {
            return try SignedCheckpoint(parsing: bytes)
        } catch {
            throw Fault(error, in: path)
        }
    }
}

/// A log as `rollcall audit export --log` writes it and C2SP tlog-tiles lays it out.
struct LogDirectory {
    let path: String

    var checkpointPath: String { "\(path)/\(LogFile.checkpoint.path)" }

    /// The bundle's entries as leaf hashes, and their bytes together. A full bundle stands in for a partial one, which a
    /// log may drop when it has grown.
    func leaves(_ place: BundleCoordinate) throws -> (hashes: [MerkleHash], bytes: Int) {
        let file = LogFile.entries(place)
        if let bytes = try contents(file, atMost: EntryBundle.largestBytes) {
            return try leaves(bytes, at: place, file)
        }
        if let full = BundleCoordinate(index: place.index, width: TileCoordinate.fullWidth), full != place,
            let bytes = try contents(.entries(full), atMost: EntryBundle.largestBytes)
        {
            let (hashes, count) = try leaves(bytes, at: full, .entries(full))
            return (Array(hashes.prefix(place.width)), count)
        }
        throw Fault(.missing, file.path, entry: place.firstEntry, "it is not there")
    }

    /// The bundle's entries themselves, of a log that was checked.
    func entries(_ place: BundleCoordinate) throws -> [ArraySlice<UInt8>] {
        let full = BundleCoordinate(index: place.index, width: TileCoordinate.fullWidth)
        for held in [place, full].compactMap(\.self) {
            guard let bytes = try contents(.entries(held), atMost: EntryBundle.largestBytes) else { continue }
            do throws(TreeError) {
                return Array(try EntryBundle.decode(bytes, at: held).prefix(place.width))
            } catch {
                throw Fault(error, in: LogFile.entries(held).path)
            }
        }
        throw Fault(.missing, LogFile.entries(place).path, entry: place.firstEntry, "it is not there")
    }

    /// The tile, or a full one in its place.
    func tile(_ place: TileCoordinate) throws -> Tile {
        if let tile = try found(place) { return tile }
        if let full = TileCoordinate(level: place.level, index: place.index, width: TileCoordinate.fullWidth),
            full != place, let tile = try found(full)?.narrowed(to: place.width)
        {
            return tile
        }
        throw Fault(.missing, LogFile.tile(place).path, "it is not there")
    }

    /// Bundles that begin or go on where a log of that size ends: of entries that nobody has signed.
    func entriesBeyond(_ size: Int) -> [String] {
        let (last, held) = size.quotientAndRemainder(dividingBy: TileCoordinate.fullWidth)
        let wider = (held + 1...TileCoordinate.fullWidth).compactMap { BundleCoordinate(index: last, width: $0) }
        let next = (1...TileCoordinate.fullWidth).compactMap { BundleCoordinate(index: last + 1, width: $0) }
        return (wider + next).map { LogFile.entries($0).path }
            .filter { FileManager.default.fileExists(atPath: "\(path)/\($0)") }
    }

    private func leaves(
        _ bytes: [UInt8],
        at place: BundleCoordinate,
        _ file: LogFile
    ) throws -> (hashes: [MerkleHash], bytes: Int) {
        do throws(TreeError) {
            return (try EntryBundle.leafHashes(bytes, at: place).hashes, bytes.count)
        } catch {
            guard case .bundleMalformed(_, let entry) = error else { throw Fault(error, in: file.path) }
            // Cut at or within an entry, or going on behind the last.
            throw entry < place.width
                ? Fault(.missing, file.path, entry: place.firstEntry + entry, "it ends before this entry does")
                : Fault(.malformed, file.path, entry: place.firstEntry + entry, "it goes on behind its last entry")
        }
    }

    private func found(_ place: TileCoordinate) throws -> Tile? {
        let file = LogFile.tile(place)
        guard let bytes = try contents(file, atMost: TileCoordinate.fullWidth * MerkleHash.length) else { return nil }
        do throws(TreeError) {
            return try Tile(place, bytes: bytes)
        } catch {
            throw Fault(error, in: file.path)
        }
    }

    /// Nil where it is not there.
    private func contents(_ file: LogFile, atMost most: Int) throws -> [UInt8]? {
        do {
            return try InputFile.bytes("\(path)/\(file.path)", atMost: most)
        } catch let fault as Fault {
            if fault.kind == .missing { return nil }
            throw Fault(fault.kind, file.path, fault.reason)
        }
    }
}
