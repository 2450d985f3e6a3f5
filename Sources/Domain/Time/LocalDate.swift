package import Foundation

/// A calendar date without a zone, as HR systems write nearly all of theirs. It stays a date until a source's zone says
/// which instant it means.
package struct LocalDate: Hashable, Comparable, Sendable {
    /// Days since 1970-01-01 in the proleptic Gregorian calendar.
    package let daysSinceEpoch: Int64

    package init(daysSinceEpoch: Int64) {
        self.daysSinceEpoch = daysSinceEpoch
    }

    /// Refuses days that the month does not have.
    package init?(year: Int, month: Int, day: Int) {
        self.init(daysSinceEpoch: Self.days(year: year, month: month, day: day))
        guard self.components == (year, month, day) else { return nil }
    }

    package static func < (one: LocalDate, other: LocalDate) -> Bool { one.daysSinceEpoch < other.daysSinceEpoch }

    /// The first moment of this date in that zone: midnight, or what follows where daylight saving skips midnight.
    package func firstMoment(in zone: TimeZone) -> Timestamp {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let (year, month, day) = components
        // Noon exists in every zone; the calendar then knows where the day really begins.
        guard let noon = calendar.date(from: DateComponents(year: year, month: month, day: day, hour: 12)) else {
            return Timestamp(seconds: daysSinceEpoch * 86_400)
        }
        return Timestamp(microseconds: Int64(calendar.startOfDay(for: noon).timeIntervalSince1970) * 1_000_000)
    }

    // Days from and to civil dates, counted in eras of 400 years that begin on 1 March.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        let shifted = Int64(month <= 2 ? year - 1 : year)
        let era = shifted.quotientAndRemainder(flooringBy: 400)
        let dayOfYear = (153 * Int64(month > 2 ? month - 3 : month + 9) + 2) / 5 + Int64(day) - 1
        let dayOfEra = era.remainder * 365 + era.remainder / 4 - era.remainder / 100 + dayOfYear
        return era.quotient * 146_097 + dayOfEra - 719_468
    }

    package var components: (year: Int, month: Int, day: Int) {
        let era = (daysSinceEpoch + 719_468).quotientAndRemainder(flooringBy: 146_097)
        let day = era.remainder
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let dayOfMonth = dayOfYear - (153 * shifted + 2) / 5 + 1
        return (Int(year + era.quotient * 400 + (month <= 2 ? 1 : 0)), Int(month), Int(dayOfMonth))
    }
}

extension LocalDate: LosslessStringConvertible {
    /// RFC 3339 `full-date`.
    package init?(_ description: String) {
        var reader = DigitReader(description)
        guard let date = reader.date(), reader.isAtEnd else { return nil }
        self = date
    }

    package var description: String {
        let (year, month, day) = components
        return [Int64(year).padded(to: 4), Int64(month).padded(to: 2), Int64(day).padded(to: 2)]
            .joined(separator: "-")
    }
}
