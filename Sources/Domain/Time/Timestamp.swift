/// An instant: whole microseconds since 1970-01-01T00:00:00Z, PostgreSQL's precision, so that what is stored, printed
/// and hashed is the same.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Whole seconds since the epoch, as Unix and JSON Web Tokens count; negative before it.
    package init(seconds: Int64) {
        self.init(microseconds: seconds * 1_000_000)
    }

    /// Whole seconds since the epoch, rounded down.
    package var seconds: Int64 { microseconds.quotientAndRemainder(flooringBy: 1_000_000).quotient }

    package static func < (one: Timestamp, other: Timestamp) -> Bool { one.microseconds < other.microseconds }

    package static func + (instant: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(microseconds: instant.microseconds + duration.wholeMicroseconds)
    }

    package static func - (instant: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(microseconds: instant.microseconds - duration.wholeMicroseconds)
    }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        .microseconds(later.microseconds - earlier.microseconds)
    }
}

extension Duration {
    /// Rounded toward zero.
    package var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

// RFC 3339, by hand: leaves of the log hold it, so it has to be exact to the microsecond and the same for ever, and
// Foundation's style neither keeps microseconds nor refuses what RFC 3339 does not allow.
extension Timestamp: LosslessStringConvertible {
    /// RFC 3339 in UTC; a fraction of six digits only where there is one.
    package var description: String {
        let (days, ofDay) = microseconds.quotientAndRemainder(flooringBy: 86_400_000_000)
        let date = LocalDate(daysSinceEpoch: days)
        let (second, fraction) = ofDay.quotientAndRemainder(dividingBy: 1_000_000)
        let time = [second / 3600, second / 60 % 60, second % 60].map { $0.padded(to: 2) }
        let tail = fraction == 0 ? "" : "." + fraction.padded(to: 6)
        return date.description + "T" + time.joined(separator: ":") + tail + "Z"
    }

    /// RFC 3339 5.6 `date-time`: any offset, `T` and `Z` in either case, digits of the fraction beyond six dropped. A
    /// leap second reads as the next second. Refuses everything else, a missing offset included.
    package init?(_ description: String) {
        var reader = DigitReader(description)
        guard let date = reader.date(), reader.take("T", "t"),
            let hour = reader.number(2, in: 0...23), reader.take(":"),
            let minute = reader.number(2, in: 0...59), reader.take(":"),
            let second = reader.number(2, in: 0...60),
            let fraction = reader.fraction(), let offset = reader.offset(), reader.isAtEnd
        else { return nil }
        let seconds = date.daysSinceEpoch * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
        self.init(microseconds: seconds * 1_000_000 + fraction)
    }
}

extension Timestamp: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let instant = Timestamp(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "is not an RFC 3339 time such as 2026-11-21T09:00:00Z"
            )
        }
        self = instant
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Int64 {
    func quotientAndRemainder(flooringBy divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    func padded(to width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }
}

/// Reads the fixed-width fields of RFC 3339 from left to right.
struct DigitReader {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ wanted: Unicode.Scalar...) -> Bool {
        guard let first = rest.first, wanted.contains(where: { UInt8(ascii: $0) == first }) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(_ width: Int, in range: ClosedRange<Int64>) -> Int64? {
        var value: Int64 = 0
        guard rest.count >= width else { return nil }
        for character in rest.prefix(width) {
            guard (48...57).contains(character) else { return nil }
            value = value * 10 + Int64(character - 48)
        }
        rest.removeFirst(width)
        return range.contains(value) ? value : nil
    }

    mutating func date() -> LocalDate? {
        guard let year = number(4, in: 0...9999), take("-"), let month = number(2, in: 1...12), take("-"),
            let day = number(2, in: 1...31)
        else { return nil }
        return LocalDate(year: Int(year), month: Int(month), day: Int(day))
    }

    /// Microseconds; 0 where there is no fraction, nil where there is a point without digits.
    mutating func fraction() -> Int64? {
        guard take(".") else { return 0 }
        var value: Int64 = 0
        var digits = 0
        while let character = rest.first, (48...57).contains(character), digits < 64 {
            if digits < 6 { value = value * 10 + Int64(character - 48) }
            digits += 1
            rest.removeFirst()
        }
        guard digits > 0 else { return nil }
        for _ in digits..<max(6, digits) { value *= 10 }
        return value
    }

    /// Minutes east of UTC.
    mutating func offset() -> Int64? {
        if take("Z", "z") { return 0 }
        let sign: Int64
        if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
        guard let hours = number(2, in: 0...23), take(":"), let minutes = number(2, in: 0...59) else { return nil }
        return sign * (hours * 60 + minutes)
    }
}
