import Domain
import Foundation

/// Times as pages say them: exact to the second, in UTC, for people.
enum PageTime {
    /// `21 Nov 2026, 09:00:05 UTC`.
    static func text(_ time: Timestamp) -> String {
        let date = Date(timeIntervalSince1970: Double(time.seconds))
        return date.formatted(style) + " UTC"
    }

    /// When and from where something was used last.
    static func use(_ time: Timestamp?, from address: String?) -> String {
        guard let time else { return "not used yet" }
        return text(time) + (address.map { ", from \($0)" } ?? "")
    }

    private static let style = Date.VerbatimFormatStyle(
        format:
            "\(day: .defaultDigits) \(month: .abbreviated) \(year: .defaultDigits), \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits)",
        locale: Locale(identifier: "en_GB"),
        timeZone: .gmt,
        calendar: Calendar(identifier: .gregorian)
    )
}
