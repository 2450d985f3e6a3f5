package import Domain

/// Where a request stands in a trace (W3C Trace Context, level 1). The trace id goes into audit entries and log lines.
package struct TraceContext: Hashable, Sendable {
    /// 32 lower-case hexadecimal digits, not all zero.
    package let traceID: String
    /// The caller's span; nil when the trace begins here.
    package let parentSpan: String?
    /// This request's own span: 16 lower-case hexadecimal digits, not all zero.
    package let span: String
    package let isSampled: Bool

    /// Continues the caller's trace when it sent exactly one well-formed `traceparent`, else begins a new one. What is
    /// malformed is ignored, as section 2.2 of the specification asks, never refused.
    package init(traceparents: [String], randomness: some Randomness) {
        let random = randomness.bytes(24)
        span = Self.hexadecimal(random[16...])
        if traceparents.count == 1, let parent = traceparents.first.flatMap(Self.parse) {
            traceID = parent.trace
            parentSpan = parent.span
            isSampled = parent.flags & 1 == 1
        } else {
            traceID = Self.hexadecimal(random[..<16])
            parentSpan = nil
            isSampled = false
        }
    }

    /// The header by which this trace goes on to somebody we call.
    package var traceparent: String { "00-\(traceID)-\(span)-\(isSampled ? "01" : "00")" }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        // An id of zeros is invalid; the generator's odds of it are nil, a test's are not.
        let bytes = bytes.allSatisfy { $0 == 0 } ? bytes.dropLast() + [1] : bytes
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// `version-traceid-parentid-flags`. A later version may append fields; version 00 may not.
    private static func parse(_ header: String) -> (trace: String, span: String, flags: UInt8)? {
        let text = Array(header.utf8)
        guard (55...512).contains(text.count), text[2] == dash, text[35] == dash, text[52] == dash else { return nil }
        let isLowerHex = { (range: Range<Int>) in
            text[range].allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
        let isNotZero = { (range: Range<Int>) in text[range].contains { $0 != 0x30 } }
        let version = String(decoding: text[0..<2], as: UTF8.self)
        guard isLowerHex(0..<2), version != "ff", isLowerHex(3..<35), isNotZero(3..<35), isLowerHex(36..<52),
            isNotZero(36..<52), isLowerHex(53..<55),
            text.count == 55 || version != "00" && text[55] == dash,
            let flags = UInt8(String(decoding: text[53..<55], as: UTF8.self), radix: 16)
        else { return nil }
        return (String(decoding: text[3..<35], as: UTF8.self), String(decoding: text[36..<52], as: UTF8.self), flags)
    }

    private static let dash = UInt8(ascii: "-")
}
