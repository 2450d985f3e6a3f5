/// Figures beside their bases.
struct Table {

    private var rows: [[String]] = [["figure", "value", "base", "ratio", "goal", "held"]]

    /// A figure whose rounds alternated with its base's; what is shown are medians, of the ratio that of the pairs.
    mutating func add(_ name: String, _ pairs: Pairs, of base: String, goal: Double) {
        let ratio = median(zip(pairs.figures, pairs.bases).map { $0 / $1 })
        rows.append([
            name, "\(Int(median(pairs.figures)))/s", "\(Int(median(pairs.bases)))/s \(base)", hundredths(ratio),
            "≥ \(hundredths(goal)) × base", ratio >= goal ? "yes" : "no",
        ])
    }

    /// A figure whose goal is a number of its own; a base is shown beside all the same.
    mutating func add(_ name: String, _ pairs: Pairs, of base: String, atLeast goal: Int) {
        let ratio = median(zip(pairs.figures, pairs.bases).map { $0 / $1 })
        let value = median(pairs.figures)
        rows.append([
            name, "\(Int(value))/s", "\(Int(median(pairs.bases)))/s \(base)", hundredths(ratio), "≥ \(goal)/s",
            value >= Double(goal) ? "yes" : "no",
        ])
    }

    /// A rate without a base, whose goal is a number of its own.
    mutating func add(_ name: String, _ values: [Double], atLeast goal: Int) {
        let value = median(values)
        rows.append([name, "\(Int(value))/s", "", "", "≥ \(goal)/s", value >= Double(goal) ? "yes" : "no"])
    }

    /// A time or a size that is to stay below its goal; without a goal it is told only.
    mutating func add(_ name: String, _ values: [Double], _ unit: String, below goal: Double? = nil) {
        let value = median(values)
        rows.append([
            name, "\(tenths(value)) \(unit)", "", "", goal.map { "< \(Int($0)) \(unit)" } ?? "",
            goal.map { value < $0 ? "yes" : "no" } ?? "",
        ])
    }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "| " + padded.joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([line(rows[0]), rule] + rows.dropFirst().map(line)).joined(separator: "\n")
    }
}

/// A figure and its base, round by round.
struct Pairs {
    var bases: [Double] = []
    var figures: [Double] = []
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

func tenths(_ value: Double) -> String { String(Double(Int(value * 10 + 0.5)) / 10) }

func hundredths(_ value: Double) -> String { String(Double(Int(value * 100 + 0.5)) / 100) }
