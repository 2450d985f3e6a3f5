import CoreMetrics
import Synchronization

/// One line, or one histogram, of the exposition.
protocol PrometheusSeries: AnyObject, Sendable {
    /// Appends the samples. `labels` is what stands between the braces.
    func write(name: String, labels: String, into text: inout String)
}

final class CounterSeries: CounterHandler, PrometheusSeries {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        // A counter never goes down, whatever it is told.
        value.wrappingAdd(max(0, amount), ordering: .relaxed)
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(name: String, labels: String, into text: inout String) {
        text += PrometheusText.sample(name, labels, String(value.load(ordering: .relaxed)))
    }
}

final class FloatingCounterSeries: FloatingPointCounterHandler, PrometheusSeries {
    private let value = Mutex(0.0)

    func increment(by amount: Double) {
        guard amount > 0 else { return }
        value.withLock { $0 += amount }
    }

    func reset() { value.withLock { $0 = 0 } }

    func write(name: String, labels: String, into text: inout String) {
        text += PrometheusText.sample(name, labels, PrometheusText.number(value.withLock { $0 }))
    }
}

final class GaugeSeries: MeterHandler, RecorderHandler, PrometheusSeries {
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }

    func write(name: String, labels: String, into text: inout String) {
        text += PrometheusText.sample(name, labels, PrometheusText.number(value.withLock { $0 }))
    }
}

final class HistogramSeries: TimerHandler, RecorderHandler, PrometheusSeries {
    /// Upper bounds in seconds: from what a cached answer takes to what a sender's patience is.
    static let secondBuckets = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// Upper bounds for counts and sizes: powers of four.
    static let sizeBuckets: [Double] = (0..<13).map { Double(1 << (2 * $0)) }

    private struct State {
        var counts: [Int]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(_ bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1_000_000_000) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func write(name: String, labels: String, into text: inout String) {
        let state = state.withLock { $0 }
        var total = 0
        let prefix = labels.isEmpty ? "" : labels + ","
        for (bound, count) in zip(bounds, state.counts) {
            total += count
            let labels = prefix + "le=\"\(PrometheusText.number(bound))\""
            text += PrometheusText.sample(name + "_bucket", labels, String(total))
        }
        total += state.counts.last ?? 0
        text += PrometheusText.sample(name + "_bucket", prefix + "le=\"+Inf\"", String(total))
        text += PrometheusText.sample(name + "_sum", labels, PrometheusText.number(state.sum))
        text += PrometheusText.sample(name + "_count", labels, String(total))
    }
}

/// The grammar of the text format.
enum PrometheusText {
    static let mostLabelValueCharacters = 128

    /// Any label of swift-metrics as a metric name: characters that the format does not allow become `_`.
    static func name(_ label: String) -> String {
        let name = String(label.unicodeScalars.map { isNameScalar($0) || $0 == ":" ? Character($0) : "_" })
        return name.first.map { $0.isNumber } ?? true ? "_" + name : name
    }

    /// What stands between the braces, sorted, so that the order of dimensions makes no second series.
    static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.sorted { $0.0 < $1.0 }.map { name, value in
            "\(labelName(name))=\"\(escape(String(value.prefix(mostLabelValueCharacters))))\""
        }.joined(separator: ",")
    }

    static func sample(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    static func help(_ text: String) -> String {
        text.flatMap { $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : String($0) }.map(String.init).joined()
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        guard value == value.rounded(), abs(value) < 1e15 else { return String(value) }
        return String(Int64(value))
    }

    private static func labelName(_ text: String) -> String {
        let name = String(text.unicodeScalars.map { isNameScalar($0) ? Character($0) : "_" })
        // `le` is the histogram's own, and `__` is reserved.
        if name == "le" || name.hasPrefix("__") { return "label_" + name }
        return name.first.map { $0.isNumber } ?? true ? "_" + name : name
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_": true
        default: false
        }
    }

    private static func escape(_ value: String) -> String {
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
