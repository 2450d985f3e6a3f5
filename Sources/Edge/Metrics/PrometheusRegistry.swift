package import CoreMetrics
import Synchronization

/// The process's metrics: a swift-metrics backend that ``exposition()`` prints as Prometheus text, format 0.0.4.
///
/// Counters only grow, gauges are set, recorders that aggregate and timers are histograms with fixed buckets, timers in
/// seconds. A metric keeps ``mostSeriesPerMetric`` series; further label sets are counted and otherwise ignored, so that
/// no sender can grow our memory by what it sends.
package final class PrometheusRegistry: MetricsFactory {
    package static let mostSeriesPerMetric = 1000
    package static let mostMetrics = 1000

    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private struct Family {
        let kind: Kind
        var series: [String: any PrometheusSeries] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var dropped = 0
    }

    private let state = Mutex(State())

    /// An empty registry; App bootstraps swift-metrics with one.
    package init() {}

    // MARK: MetricsFactory

    /// The same label and dimensions are the same series, here and below.
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterSeries() } ?? CounterSeries()
    }

    /// A counter of fractions.
    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { FloatingCounterSeries() } ?? FloatingCounterSeries()
    }

    /// A gauge.
    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries() } ?? GaugeSeries()
    }

    /// A histogram over sizes, or a gauge where nothing is aggregated.
    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { GaugeSeries() } ?? GaugeSeries() }
        let buckets = HistogramSeries.sizeBuckets
        return series(label, dimensions, .histogram) { HistogramSeries(buckets) } ?? HistogramSeries(buckets)
    }

    /// A histogram over seconds.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let buckets = HistogramSeries.secondBuckets
        return series(label, dimensions, .histogram) { HistogramSeries(buckets) } ?? HistogramSeries(buckets)
    }

    // A series outlives its handle, so that a counter made anew goes on where it was.

    /// Keeps the series.
    package func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps the series.
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Keeps the series.
    package func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps the series.
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps the series.
    package func destroyTimer(_ handler: any TimerHandler) {}

    /// Nil when the metric is full, or is of another kind under this name: then the caller counts into the void.
    private func series<Series: PrometheusSeries>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: Kind,
        make: () -> Series
    ) -> Series? {
        let name = PrometheusText.name(label)
        let labels = PrometheusText.labels(dimensions)
        return state.withLock { state in
            if let known = state.families[name]?.series[labels] { return known as? Series }
            let hasRoom =
                if let family = state.families[name] {
                    family.kind == kind && family.series.count < Self.mostSeriesPerMetric
                } else {
                    state.families.count < Self.mostMetrics
                }
            guard hasRoom else {
                state.dropped += 1
                return nil
            }
            let made = make()
            state.families[name, default: Family(kind: kind)].series[labels] = made
            return made
        }
    }

    // MARK: Exposition

    /// All metrics at this moment, by name, their series by labels.
    package func exposition() -> String {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            if let help = MetricName.help[name] { text += "# HELP \(name) \(PrometheusText.help(help))\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name: name, labels: labels, into: &text)
            }
        }
        let name = MetricName.seriesDropped
        text += "# HELP \(name) \(MetricName.help[name] ?? "")\n# TYPE \(name) counter\n\(name) \(dropped)\n"
        return text
    }

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"
}
