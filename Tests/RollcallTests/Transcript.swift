import Foundation
import Testing

/// A conversation with the program: commands, and what each has to print and how it has to end.
///
/// A block begins with `=== ` and its title. `$ ` is the command line (words in single quotes stay together), `< ` a
/// line of stdin, `NAME=value` before the command its environment, `! ` the expected exit code (0 unless it is said).
/// What follows is stdout, and after a line `--- stderr` what goes there.
struct Transcript: Sendable {
    struct Block: Sendable, CustomTestStringConvertible {
        var title: String
        var environment: [String: String] = [:]
        var arguments: [String] = []
        var stdin = ""
        var status: Int32 = 0
        var stdout = ""
        var stderr = ""

        var testDescription: String { title }
    }

    let blocks: [Block]

    init(named name: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Transcripts")
        self.init(try String(contentsOf: folder.appendingPathComponent(name + ".txt"), encoding: .utf8))
    }

    init(_ text: String) {
        var blocks: [Block] = []
        var isStderr = false
        // By scalars: to a Character, the line end of CSV is one thing.
        for scalars in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let line = String(scalars)
            if line.hasPrefix("=== ") {
                blocks.append(Block(title: String(line.dropFirst(4))))
                isStderr = false
            } else if !blocks.isEmpty {
                Self.read(line, into: &blocks[blocks.count - 1], &isStderr)
            }
        }
        self.blocks = blocks
    }

    private static func read(_ line: String, into block: inout Block, _ isStderr: inout Bool) {
        let isBefore = block.arguments.isEmpty
        if line.hasPrefix("$ rollcall") {
            block.arguments = words(line.dropFirst("$ rollcall".count))
            if block.arguments.isEmpty { block.arguments = ["--help"] }
        } else if isBefore, let equals = line.firstIndex(of: "=") {
            block.environment[String(line[..<equals])] = String(line[line.index(after: equals)...])
        } else if line.hasPrefix("< ") {
            block.stdin += line.dropFirst(2) + "\n"
        } else if line.hasPrefix("! ") {
            block.status = Int32(line.dropFirst(2)) ?? -1
        } else if line == "--- stderr" {
            isStderr = true
        } else if isStderr {
            block.stderr += line + "\n"
        } else {
            block.stdout += line + "\n"
        }
    }

    private static func words(_ text: Substring) -> [String] {
        var words: [String] = []
        var word: String?
        var isQuoted = false
        for character in text {
            switch character {
            case "'":
                isQuoted.toggle()
                word = word ?? ""
            case " " where !isQuoted:
                if let finished = word { words.append(finished) }
                word = nil
            default: word = (word ?? "") + String(character)
            }
        }
        return words + (word.map { [$0] } ?? [])
    }
}
