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
            var handler = JSONLogHandler(label: label, clock: SystemClock(), sink: sink)
            handler.logLevel = level
            return handler
        }
        return registry
    }
}
