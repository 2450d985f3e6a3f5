import Foundation
import Testing
import Transparency

/// Seeded, so every run sees the same inputs; each failure names its round.
@Suite struct JSONFuzzTests {
    @Test func `what was written reads back equal, and canonical bytes are a fixed point`() throws {
        var random = SeededGenerator(seed: 8_259)
        for round in 0..<2_000 {
            let value = JSON.random(depth: 4, using: &random)
            #expect(try JSON.parse(value.bytes) == value, "round \(round)")
            let canonical = try value.canonical()
            #expect(try JSON.parse(canonical).canonical() == canonical, "round \(round)")
        }
    }

    @Test func `every cut of a text is refused`() throws {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<100 {
            let bytes = JSON.array([JSON.random(depth: 3, using: &random)]).bytes
            for end in 0..<bytes.count {
                #expect(throws: JSON.ParseError.self) { try JSON.parse(bytes[..<end]) }
            }
        }
    }

    /// Foundation is the second opinion: what we accept it accepts with the same values, and what it accepts and we
    /// refuse we refuse for one of the reasons in which we mean to be stricter.
    @Test func `mutated texts are judged as Foundation judges them, or more strictly`() throws {
        var random = SeededGenerator(seed: 7_159)
        let stricter: Set<JSON.ParseError.Reason> = [.duplicateName, .loneSurrogate, .invalidUTF8]
        var accepted = 0
        for round in 0..<6_000 {
            let bytes = Self.mutate(JSON.array([JSON.random(depth: 3, using: &random)]).bytes, using: &random)
            let foundation: Any? = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            do throws(JSON.ParseError) {
                let value = try JSON.parse(bytes)
                accepted += 1
                if let foundation {
                    #expect(value.agrees(with: foundation), "round \(round): \(value.text)")
                } else {
                    #expect(value.hasHugeNumber, "round \(round): only we accept \(value.text)")
                }
            } catch {
                // Foundation also takes a byte order mark, and a comma behind the last element.
                let isComma = error.offset < bytes.count && [0x5D, 0x7D].contains(bytes[error.offset])
                let isStricter =
                    foundation == nil || stricter.contains(error.reason) || bytes.starts(with: [0xEF, 0xBB])
                    || error.reason == .unexpectedByte && isComma
                #expect(isStricter, "round \(round): \(error) in \(String(decoding: bytes, as: UTF8.self))")
            }
        }
        #expect(accepted > 500)
    }

    @Test func `random bytes never crash and never take long`() {
        var random = SeededGenerator(seed: 99)
        let alphabet = Array("{}[]\",:\\u0d8e1.-+ tfn".utf8) + [0x00, 0x80, 0xC3, 0xFF]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            guard let value = try? JSON.parse(bytes) else { continue }
            #expect((try? JSON.parse(value.bytes)) == value)
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")))
    func `doubles are written and read as Python does`() throws {
        var random = SeededGenerator(seed: 754)
        let doubles = (0..<3_000).compactMap { _ -> Double? in
            let value = Double(bitPattern: random.next())
            return value.isFinite ? value : nil
        }
        let list = JSON.array(try doubles.map { .number(try JSON.Number($0)) })
        let program = "import json,struct,sys\nfor x in json.load(sys.stdin): print(struct.pack('>d', x).hex())"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", program]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        // Python reads everything before it prints, so the two pipes cannot wait for each other.
        try input.fileHandleForWriting.write(contentsOf: Data(list.bytes))
        try input.fileHandleForWriting.close()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        let read = text.split(separator: "\n").compactMap { UInt64($0, radix: 16) }
        // Minus zero is written as 0.
        #expect(read == doubles.map { $0 == 0 ? 0 : $0.bitPattern })
        #expect(list.array?.map(\.double) == doubles)
    }

    private static func mutate(_ bytes: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        let pieces = ["\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", "e", ".", "\\ud800", "\u{1}", " ", "null"]
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let place = Int.random(in: 0..<max(bytes.count, 1), using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.remove(at: min(place, bytes.count - 1))
            case 1: bytes.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8, at: place)
            case 2: bytes[place] = UInt8.random(in: 0...255, using: &random)
            default: bytes.swapAt(place, Int.random(in: 0..<bytes.count, using: &random))
            }
            if bytes.isEmpty { return [0x20] }
        }
        return bytes
    }
}

extension JSON {
    static func random(depth: Int, using random: inout SeededGenerator) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .integer(Int64.random(in: -9_007_199_254_740_992...9_007_199_254_740_992, using: &random))
        case 3:
            let value = Double(bitPattern: random.next())
            // Infinities and NaN have no literal, and integers beyond 2^53 no canonical form.
            let isLargeInteger = value.magnitude > 9_007_199_254_740_992 && value.magnitude < 1e21
            return isLargeInteger ? .integer(0) : (try? Number(value)).map(JSON.number) ?? .integer(0)
        case 4, 5: return .string(text(using: &random))
        case 6:
            return .array(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in .random(depth: depth - 1, using: &random) }
            )
        default:
            var object = Object()
            for _ in 0..<Int.random(in: 0...16, using: &random) {
                object[text(using: &random)] = .random(depth: depth - 1, using: &random)
            }
            return .object(object)
        }
    }

    private static func text(using random: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            let limit: UInt32 = [0x80, 0x80, 0x800, 0x10000, 0x110000][Int.random(in: 0..<5, using: &random)]
            if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &random)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// Numbers beyond a double's range: JSON allows them, Foundation does not.
    var hasHugeNumber: Bool {
        switch self {
        case .number(let number): number.double == nil
        case .array(let elements): elements.contains(where: \.hasHugeNumber)
        case .object(let object): object.members.contains(where: \.value.hasHugeNumber)
        case .null, .bool, .string: false
        }
    }

    func agrees(with other: Any) -> Bool {
        switch self {
        case .null:
            return other is NSNull
        case .bool(let value):
            return other as? Bool == value
        case .number(let number):
            // Foundation goes by way of Decimal and loses the last digits.
            guard let value = number.double, let other = (other as? NSNumber)?.doubleValue else { return false }
            return abs(value - other) <= abs(value) * 1e-12
        case .string(let text):
            return (other as? String).map { Array($0.utf8) == Array(text.utf8) } ?? false
        case .array(let elements):
            guard let others = other as? [Any], others.count == elements.count else { return false }
            return zip(elements, others).allSatisfy { $0.agrees(with: $1) }
        case .object(let object):
            // Foundation merges names that are canonically equivalent, so only the others can be compared.
            guard let others = other as? [String: Any] else { return false }
            guard others.count == object.count else { return Set(object.keys).count == others.count }
            return object.members.allSatisfy { member in
                others[member.key].map { member.value.agrees(with: $0) } ?? false
            }
        }
    }
}
