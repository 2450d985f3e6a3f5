/// The signed time of a delivery against the time of its receipt.
extension SigningProfile.Window {
    /// Nil when the instant lies in the window.
    func refusal(_ instant: Timestamp, receivedAt: Timestamp) -> Verdict.Refusal? {
        if let past, instant + .seconds(past) < receivedAt { return .timestampTooOld }
        if let future, receivedAt + .seconds(future) < instant { return .timestampTooEarly }
        return nil
    }
}

extension SigningProfile.TimestampRule {
    /// The instant that a signed text means. Refuses what is not written exactly as the unit is; a lenient unit has no
    /// instant then.
    func instant(_ text: String) throws(Verdict.Refusal) -> Timestamp? {
        let instant: Timestamp?
        switch unit {
        case .rfc3339: instant = Timestamp(text)
        case .seconds: instant = Self.number(text, digits: 11).map { Timestamp(seconds: $0) }
        case .milliseconds: instant = Self.number(text, digits: 14).map { Timestamp(microseconds: $0 * 1_000) }
        case .lenient:
            guard Self.isTime(text) else { throw .timestampMalformed }
            return Self.lenient(text)
        }
        guard let instant else { throw .timestampMalformed }
        return instant
    }

    /// The text that means an instant, fractions of the unit dropped.
    func text(_ instant: Timestamp) -> String {
        switch unit {
        case .rfc3339, .lenient: instant.description
        case .seconds: String(instant.seconds)
        case .milliseconds: String(instant.microseconds / 1_000)
        }
    }

    /// Digits only: no sign, no leading zero, no white space.
    private static func number(_ text: String, digits: Int) -> Int64? {
        let bytes = text.utf8
        guard (1...digits).contains(bytes.count), bytes.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            bytes.count == 1 || bytes.first != 0x30
        else { return nil }
        return Int64(text)
    }

    /// Characters of which times are written, so that no part of a body can be taken for one. It begins with a digit.
    private static func isTime(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x30...0x39).contains(first), text.utf8.count <= 40 else { return false }
        return text.utf8.allSatisfy(isOfTime)
    }

    /// Whether times are written with that character.
    static func isOfTime(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || "TZtz:+-. ".utf8.contains(byte)
    }

    /// Seconds up to eleven digits, milliseconds from twelve; else ISO 8601 with an offset of two or four digits, with
    /// a colon or without.
    private static func lenient(_ text: String) -> Timestamp? {
        if let seconds = number(text, digits: 11) { return Timestamp(seconds: seconds) }
        if let milliseconds = number(text, digits: 14) { return Timestamp(microseconds: milliseconds * 1_000) }
        if let exact = Timestamp(text) { return exact }
        let utf8 = Array(text.utf8)
        for (digits, tail) in [(4, 2), (2, 0)] where utf8.count > digits + 11 {
            let sign = utf8[utf8.count - digits - 1]
            guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { continue }
            return Timestamp(text.dropLast(tail) + ":" + (tail == 0 ? "00" : text.suffix(tail)))
        }
        return nil
    }
}
