import Crypto
import Foundation

/// A whole exported log through `rollcall-verify range`, beside plain SHA-256 over the same entries from the same files.
extension Bench {
    /// Entries of the log that is measured, and of the small one that its memory is compared with.
    private static let entries = 400_000
    private static let fewEntries = 40_000

    func verify(into table: inout Table) throws {
        note("verifying an exported log")
        let large = try LogFiles(entries: Self.entries, in: scratch + "/log-large")
        let small = try LogFiles(entries: Self.fewEntries, in: scratch + "/log-small")
        var pairs = Pairs()
        var (much, little): ([Double], [Double]) = ([], [])
        for _ in 0..<rounds {
            pairs.bases.append(try plainHashing(of: large))
            let (seconds, memory) = try verifying(large)
            pairs.figures.append(Double(Self.entries) / seconds)
            much.append(memory)
            little.append(try verifying(small).memory)
            note("  range: \(Int(Double(Self.entries) / seconds)) entries/s, \(tenths(memory)) MB")
        }
        let name = "entries of \(LogFiles.entryBytes) bytes verified from an export"
        table.add(name, pairs, of: "plain SHA-256 of the same entries", atLeast: 250_000)
        table.add("  most memory, \(Self.entries) entries", much, "MB", below: 64)
        table.add("  most memory, \(Self.fewEntries) entries", little, "MB")
    }

    /// Entries a second.
    private func plainHashing(of log: LogFiles) throws -> Double {
        let began = Date()
        var hashed = 0
        for path in LogFiles.bundles(entries: Self.entries) {
            let bytes = Array(try Data(contentsOf: URL(filePath: "\(log.directory)/\(path)")))
            for start in stride(from: 2, to: bytes.count, by: LogFiles.entryBytes + 2) {
                let digest = SHA256.hash(data: bytes[start..<(start + LogFiles.entryBytes)])
                hashed += digest.contains(where: { $0 != 0 }) ? 1 : 0
            }
        }
        guard hashed == Self.entries else { throw ChildError.unexpected("\(hashed) entries in \(log.directory)") }
        return Double(hashed) / Date().timeIntervalSince(began)
    }

    private func verifying(_ log: LogFiles) throws -> (seconds: Double, memory: Double) {
        let began = Date()
        let child = try ChildProcess(
            verifier,
            ["range", log.directory, "--vkey", log.vkey],
            log: scratch + "/verify.log",
            keepsOutput: true
        )
        var most = 0.0
        // A program that has ended has no status file any more, or none with a size.
        while child.isRunning {
            if let status = try? String(contentsOfFile: "/proc/\(child.id)/status", encoding: .utf8),
                let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
                let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                    Double($0)
                })
            {
                most = max(most, kilobytes / 1024)
            }
            Thread.sleep(forTimeInterval: 0.002)
        }
        let seconds = Date().timeIntervalSince(began)
        let said = String(decoding: child.output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        guard said.hasPrefix("holds: ") else { throw ChildError.unexpected("rollcall-verify range: \(said)") }
        return (seconds, most)
    }
}
