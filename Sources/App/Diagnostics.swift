package import Edge
package import Logging
import Metrics

/// Logs and metrics of the process. Installed once, before anything logs or counts.
package enum Diagnostics {
    /// The registry that `/metrics` shows.
    package static func install(level: Logger.Level) -> PrometheusRegistry {
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        let sink = LogSink()
        LoggingSystem.bootstrap { label in
            JSONLogHandler(label: label, level: level, clock: SystemClock(), sink: sink)
        }
        return registry
    }
}
