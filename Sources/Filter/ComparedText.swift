/// A string as filters compare it: lower-cased unless case exact, then by code points.
struct ComparedText {
    private let bytes: [UInt8]
    private let instant: Instant?

    enum Order {
        case before
        case same
        case after
    }

    init(_ text: String, isCaseExact: Bool) {
        bytes = Array((isCaseExact ? text : text.lowercased()).utf8)
        instant = Instant(text)
    }

    /// Where `other` stands towards this: by instant when both are date-times, else by code points.
    func order(of other: ComparedText) -> Order {
        if let instant, let another = other.instant {
            return another < instant ? .before : instant < another ? .after : .same
        }
        if other.bytes == bytes { return .same }
        // UTF-8 sorts as code points do.
        return other.bytes.lexicographicallyPrecedes(bytes) ? .before : .after
    }

    func starts(with part: ComparedText) -> Bool {
        bytes.starts(with: part.bytes)
    }

    func ends(with part: ComparedText) -> Bool {
        bytes.count >= part.bytes.count && bytes.suffix(part.bytes.count) == part.bytes[...]
    }

    /// Knuth, Morris and Pratt's search: a text made to be slow is not.
    func contains(_ part: ComparedText) -> Bool {
        let part = part.bytes
        guard !part.isEmpty else { return true }
        guard part.count <= bytes.count else { return false }
        var borders = [Int](repeating: 0, count: part.count)
        var matched = 0
        for place in 1..<part.count {
            while matched > 0, part[place] != part[matched] { matched = borders[matched - 1] }
            if part[place] == part[matched] { matched += 1 }
            borders[place] = matched
        }
        matched = 0
        for byte in bytes {
            while matched > 0, byte != part[matched] { matched = borders[matched - 1] }
            if byte == part[matched] { matched += 1 }
            if matched == part.count { return true }
        }
        return false
    }
}

/// The moment of an RFC 3339 date-time, to the last digit of its fraction.
struct Instant: Equatable {
    private let seconds: Int
    /// The digits of the fraction without zeros at the end, so that they compare as text does.
    private let fraction: [UInt8]

    /// More digits of a fraction than this are no date-time.
    private static let longestFraction = 18
    /// Length of the shortest: `2026-11-21T09:00:00Z`.
    private static let shortest = 20

    /// Nil for anything but a date-time with a zone; a leap second counts as the first second after it.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= Self.shortest, bytes.count <= Self.shortest + Self.longestFraction + 6,
            bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] | 0x20 == UInt8(ascii: "t"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[5..<7]),
            let day = Self.number(bytes[8..<10]), let hour = Self.number(bytes[11..<13]),
            let minute = Self.number(bytes[14..<16]), let second = Self.number(bytes[17..<19]),
            (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var rest = bytes[19...]
        var fraction: [UInt8] = []
        if rest.first == UInt8(ascii: ".") {
            fraction = Array(rest.dropFirst().prefix { $0 >= 0x30 && $0 <= 0x39 })
            guard !fraction.isEmpty, fraction.count <= Self.longestFraction else { return nil }
            rest = rest.dropFirst(1 + fraction.count)
            while fraction.last == 0x30 { fraction.removeLast() }
        }
        guard let offset = Self.offset(rest) else { return nil }
        seconds = ((Self.dayNumber(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
        self.fraction = fraction
    }

    static func < (left: Self, right: Self) -> Bool {
        left.seconds == right.seconds
            ? left.fraction.lexicographicallyPrecedes(right.fraction) : left.seconds < right.seconds
    }

    /// Minutes east of UTC.
    private static func offset(_ zone: ArraySlice<UInt8>) -> Int? {
        let zone = Array(zone)
        if zone.count == 1, zone[0] | 0x20 == UInt8(ascii: "z") { return 0 }
        guard zone.count == 6, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
            zone[3] == UInt8(ascii: ":"), let hours = number(zone[1..<3]), let minutes = number(zone[4..<6]),
            hours < 24, minutes < 60
        else { return nil }
        return (zone[0] == UInt8(ascii: "-") ? -1 : 1) * (hours * 60 + minutes)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 0000-03-01 in the Gregorian calendar: counting years from March puts the leap day at their end.
    private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let monthFromMarch = (month + 9) % 12
        let leapDays = (shifted >= 0 ? shifted / 4 : -1) - shifted / 100 + shifted / 400
        return shifted * 365 + leapDays + (153 * monthFromMarch + 2) / 5 + day - 1
    }
}
