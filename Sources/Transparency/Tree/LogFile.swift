/// A file of a log as C2SP tlog-tiles lays it out, under the log's URL or in the directory of an export.
package enum LogFile: Hashable, Sendable {
    case checkpoint
    case tile(TileCoordinate)
    case entries(BundleCoordinate)

    /// Path below the log's own, without a leading slash.
    package var path: String {
        switch self {
        case .checkpoint: "checkpoint"
        case .tile(let tile): "tile/\(tile.level)/\(Self.place(tile.index, tile.width))"
        case .entries(let bundle): "tile/entries/\(Self.place(bundle.index, bundle.width))"
        }
    }

    /// Reads exactly what `path` writes, so that one file has one path; nil for all else.
    package init?(path: String) {
        guard path.utf8.count <= Self.longestPath else { return nil }
        guard let found = Self.reading(path), found.path.utf8.elementsEqual(path.utf8) else { return nil }
        self = found
    }

    /// Bytes; the longest that `path` writes is shorter.
    private static let longestPath = 64

    private static func reading(_ path: String) -> LogFile? {
        if path == "checkpoint" { return .checkpoint }
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0] == "tile" else { return nil }
        let kind = parts[1]
        parts.removeFirst(2)
        var width = TileCoordinate.fullWidth
        if parts.count >= 2, parts[parts.count - 2].hasSuffix(".p") {
            guard let partial = Int(parts.removeLast()), partial < TileCoordinate.fullWidth else { return nil }
            width = partial
            parts[parts.count - 1] = parts[parts.count - 1].dropLast(2)
        }
        let digits = parts.map { $0.hasPrefix("x") ? $0.dropFirst() : $0 }.joined()
        guard let index = Int(digits) else { return nil }
        if kind == "entries" { return BundleCoordinate(index: index, width: width).map(LogFile.entries) }
        guard let level = Int(kind) else { return nil }
        return TileCoordinate(level: level, index: index, width: width).map(LogFile.tile)
    }

    /// `x001/x234/067.p/5`: groups of three digits, all but the last marked, and the width where it is not full.
    private static func place(_ index: Int, _ width: Int) -> String {
        var groups: [String] = []
        var left = index
        repeat {
            let digits = String(left % 1000)
            groups.append(String(repeating: "0", count: 3 - digits.count) + digits)
            left /= 1000
        } while left > 0
        let leading = groups.dropFirst().reversed().map { "x\($0)/" }.joined()
        return leading + groups[0] + (width == TileCoordinate.fullWidth ? "" : ".p/\(width)")
    }
}
