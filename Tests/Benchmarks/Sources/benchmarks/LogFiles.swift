import Crypto
import Foundation

/// A log of equal entries in a directory, as an export writes it: C2SP tlog-tiles, with a signed checkpoint. Made here and
/// not by the product, which is to read what others wrote.
struct LogFiles {
    let directory: String
    /// The key that signed, as the verifier wants it.
    private(set) var vkey = ""
    /// By level, the hashes of the tile that is not full, and how many full ones came before.
    private var levels: [(hashes: [[UInt8]], full: Int)] = []

    static let entryBytes = 616
    static let origin = "bench.example/audit/log"

    init(entries: Int, in directory: String) throws {
        self.directory = directory
        var bundle: [UInt8] = []
        for index in 0..<entries {
            let entry = Self.entry(index)
            bundle += [UInt8(entry.count >> 8), UInt8(entry.count & 0xFF)] + entry
            try push(Array(SHA256.hash(data: [0] + entry)), level: 0)
            let held = index % 256 + 1
            guard held == 256 || index == entries - 1 else { continue }
            try write(bundle, "tile/entries/" + Self.place(index / 256, held))
            bundle.removeAll(keepingCapacity: true)
        }
        try sign(size: entries, root: try edge())
    }

    static func entry(_ index: Int) -> [UInt8] {
        let head = Array("{\"index\":\(index),\"filling\":\"".utf8)
        return head + [UInt8](repeating: 0x78, count: entryBytes - head.count - 2) + Array("\"}".utf8)
    }

    /// Paths of the bundles, in order.
    static func bundles(entries: Int) -> [String] {
        stride(from: 0, to: entries, by: 256).map { "tile/entries/" + place($0 / 256, min(256, entries - $0)) }
    }

    private mutating func push(_ hash: [UInt8], level: Int) throws {
        if level == levels.count { levels.append(([], 0)) }
        levels[level].hashes.append(hash)
        guard levels[level].hashes.count == 256 else { return }
        try write(levels[level].hashes.flatMap { $0 }, "tile/\(level)/" + Self.place(levels[level].full, 256))
        let root = Self.root(levels[level].hashes)
        levels[level] = ([], levels[level].full + 1)
        try push(root, level: level + 1)
    }

    /// Writes the tiles that are not full; the root of all.
    private func edge() throws -> [UInt8] {
        var right: [[UInt8]] = []
        for (level, (hashes, full)) in levels.enumerated() {
            if !hashes.isEmpty {
                try write(hashes.flatMap { $0 }, "tile/\(level)/" + Self.place(full, hashes.count))
            }
            if !(hashes + right).isEmpty { right = [Self.root(hashes + right)] }
        }
        return right.first ?? Array(SHA256.hash(data: [UInt8]()))
    }

    private mutating func sign(size: Int, root: [UInt8]) throws {
        let key = Curve25519.Signing.PrivateKey()
        let body = "\(Self.origin)\n\(size)\n\(Data(root).base64EncodedString())\n"
        let typed = [1] + Array(key.publicKey.rawRepresentation)
        let id = Array(SHA256.hash(data: Array("\(Self.origin)\n".utf8) + typed).prefix(4))
        let signature = Data(id + Array(try key.signature(for: Array(body.utf8)))).base64EncodedString()
        try write(Array("\(body)\n\u{2014} \(Self.origin) \(signature)\n".utf8), "checkpoint")
        let hexadecimal = id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        vkey = "\(Self.origin)+\(hexadecimal)+\(Data(typed).base64EncodedString())"
    }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        let url = URL(filePath: "\(directory)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    private static func root(_ hashes: [[UInt8]]) -> [UInt8] {
        var row = hashes
        while row.count > 1 {
            row = stride(from: 0, to: row.count, by: 2).map { place in
                place + 1 < row.count ? Array(SHA256.hash(data: [1] + row[place] + row[place + 1])) : row[place]
            }
        }
        return row[0]
    }

    private static func place(_ index: Int, _ width: Int) -> String {
        var groups = [String(1000 + index % 1000).dropFirst()]
        var rest = index / 1000
        while rest > 0 {
            groups.insert("x" + String(1000 + rest % 1000).dropFirst(), at: 0)
            rest /= 1000
        }
        return groups.joined(separator: "/") + (width == 256 ? "" : ".p/\(width)")
    }
}
