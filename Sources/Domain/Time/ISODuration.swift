/// An ISO 8601 duration as grants use it: years to seconds, no fractions, no weeks mixed with others: `P90D`, `P1Y`,
/// `PT12H`, `P2W`. Kept as written; at least a minute and at most ten years.
package struct ISODuration: Hashable, Sendable, LosslessStringConvertible {
    package let description: String
    /// A month counts as 30 days and a year as 365: lifetimes are bounds, not anniversaries.
    package let duration: Duration

    /// The bounds of a lifetime.
    package static let bounds: ClosedRange<Duration> = .seconds(60)...(.seconds(3650 * 86_400))

    package init?(_ description: String) {
        var seconds: Int64 = 0
        var digits: Int64?
        var isTime = false
        var last = -1
        var parts = 0
        var hasWeeks = false
        var text = Substring(description)
        guard description.utf8.count <= 32, text.popFirst() == "P" else { return nil }
        for character in text {
            if let digit = character.wholeNumberValue, character.isASCII {
                let next = (digits ?? 0) * 10 + Int64(digit)
                guard next <= 1_000_000_000 else { return nil }
                digits = next
            } else if character == "T" {
                guard !isTime, digits == nil else { return nil }
                isTime = true
            } else {
                guard let count = digits, let unit = Self.unit(character, isTime: isTime), unit.order > last
                else { return nil }
                seconds += count * unit.seconds
                last = unit.order
                parts += 1
                hasWeeks = hasWeeks || character == "W"
                digits = nil
            }
        }
        guard digits == nil, parts > 0, parts == 1 || !hasWeeks, !description.hasSuffix("T") else { return nil }
        let duration = Duration.seconds(seconds)
        guard Self.bounds.contains(duration) else { return nil }
        self.description = description
        self.duration = duration
    }

    private static func unit(_ letter: Character, isTime: Bool) -> (order: Int, seconds: Int64)? {
        switch (letter, isTime) {
        case ("Y", false): (0, 365 * 86_400)
        case ("M", false): (1, 30 * 86_400)
        case ("W", false): (2, 7 * 86_400)
        case ("D", false): (3, 86_400)
        case ("H", true): (4, 3600)
        case ("M", true): (5, 60)
        case ("S", true): (6, 1)
        default: nil
        }
    }
}
