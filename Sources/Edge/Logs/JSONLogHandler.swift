package import Domain
package import Logging

/// One JSON object a line: `time`, `level`, `label`, `message`, then the metadata by name (`request_id` among it).
///
/// Every text passes ``LogScrubber``. Texts and lines are cut at bounds, so that no error's text can flood the log.
package struct JSONLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let label: String
    private let clock: any WallClock
    private let sink: LogSink

    /// Bytes of one text, and members of one line's metadata.
    static let mostTextBytes = 4096
    static let mostMembers = 64
    /// How deep metadata may nest.
    static let mostDepth = 4

    /// One handler a logger; they share the sink.
    package init(label: String, level: Logger.Level, clock: any WallClock, sink: LogSink) {
        self.label = label
        self.clock = clock
        self.sink = sink
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Never waits for the reader of the log, but for a critical line.
    package func log(event: LogEvent) {
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { $1 }
        if let more = event.metadata { all.merge(more) { $1 } }
        if let error = event.error { all["error"] = .string(String(reflecting: error)) }
        var line = LogLine()
        line.member("time", clock.now().description)
        line.member("level", event.level.rawValue)
        line.member("label", label)
        line.member("message", event.message.description)
        for (key, value) in all.sorted(by: { $0.key < $1.key }).prefix(Self.mostMembers) {
            line.member(Self.reserved.contains(key) ? "metadata_" + key : key, value, depth: 0)
        }
        sink.append(line.finish())
        // The process may not outlive such a line.
        if event.level == .critical { sink.flush() }
    }

    private static let reserved: Set<String> = ["time", "level", "label", "message"]
}

/// The bytes of one line.
private struct LogLine {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    mutating func member(_ name: String, _ value: String) {
        key(name)
        text(value)
    }

    mutating func member(_ name: String, _ value: Logger.MetadataValue, depth: Int) {
        key(name)
        write(value, depth: depth)
    }

    func finish() -> [UInt8] { bytes + [UInt8(ascii: "}"), 0x0A] }

    private mutating func key(_ name: String) {
        separate()
        text(name)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func separate() {
        guard let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") else { return }
        bytes.append(UInt8(ascii: ","))
    }

    private mutating func write(_ value: Logger.MetadataValue, depth: Int) {
        switch value {
        case .string(let value): text(value)
        case .stringConvertible(let value): text(value.description)
        case .array(let values) where depth < JSONLogHandler.mostDepth:
            bytes.append(UInt8(ascii: "["))
            for value in values.prefix(JSONLogHandler.mostMembers) {
                separate()
                write(value, depth: depth + 1)
            }
            bytes.append(UInt8(ascii: "]"))
        case .dictionary(let members) where depth < JSONLogHandler.mostDepth:
            bytes.append(UInt8(ascii: "{"))
            for (name, value) in members.sorted(by: { $0.key < $1.key }).prefix(JSONLogHandler.mostMembers) {
                member(name, value, depth: depth + 1)
            }
            bytes.append(UInt8(ascii: "}"))
        case .array, .dictionary: text("…")
        }
    }

    private mutating func text(_ value: String) {
        // Scrubbed before it is cut: the front of a secret that is cut in two would be too short to be known as one.
        let scrubbed = LogScrubber.scrub(Self.front(of: value, bytes: 2 * JSONLogHandler.mostTextBytes))
        let kept = Self.front(of: scrubbed, bytes: JSONLogHandler.mostTextBytes)
        bytes.append(UInt8(ascii: "\""))
        for byte in kept.utf8 { escape(byte) }
        if kept.utf8.count < value.utf8.count, kept.utf8.count >= JSONLogHandler.mostTextBytes - 3 {
            bytes += "…".utf8
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// At most so many bytes.
    private static func front(of text: String, bytes count: Int) -> String {
        guard text.utf8.count > count else { return text }
        // A character that is cut in two decodes to U+FFFD, which is harmless.
        return String(decoding: text.utf8.prefix(count), as: UTF8.self)
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0x0A: bytes += "\\n".utf8
        case 0x00..<0x20, 0x7F:
            let digits = Array("0123456789abcdef".utf8)
            bytes += "\\u00".utf8
            bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        default: bytes.append(byte)
        }
    }
}
