/// Every metric that Rollcall counts, with its dimensions. Names are part of the interface: dashboards hold them. Rooms
/// that do not import Edge write the name out; the gate `pages` holds those to the same list.
package enum MetricName {
    /// `source`, `verdict`
    package static let deliveries = "rollcall_deliveries_total"
    /// From the first byte of a delivery's header to its answer.
    package static let acknowledgementSeconds = "rollcall_acknowledgement_seconds"
    /// `source`: answers that used more than half of what their sender waits.
    package static let acknowledgementsLate = "rollcall_acknowledgements_late_total"
    /// `source`: deliveries that cannot be told from an earlier one.
    package static let equalDeliveries = "rollcall_equal_deliveries_total"
    package static let eventsPending = "rollcall_events_pending"
    package static let eventsOldestAge = "rollcall_events_oldest_age_seconds"
    package static let applySeconds = "rollcall_apply_seconds"
    /// `change`
    package static let commitBatchSize = "rollcall_commit_batch_size"
    /// `state`: idle, busy, waiting
    package static let poolConnections = "rollcall_pool_connections"
    /// `table`
    package static let partitionsAhead = "rollcall_partitions_ahead"
    package static let logEntriesSequenced = "rollcall_log_entries_sequenced_total"
    package static let logsHalted = "rollcall_logs_halted"
    package static let logPendingAge = "rollcall_log_pending_age_seconds"
    /// `kind`
    package static let expiredRemoved = "rollcall_expired_removed_total"
    package static let expiryRunAt = "rollcall_expiry_run_timestamp_seconds"
    /// `limit`
    package static let limitedRequests = "rollcall_limited_requests_total"
    /// `reason`
    package static let checksRefused = "rollcall_checks_refused_total"
    /// `door`, `status`
    package static let httpRequests = "rollcall_http_requests_total"
    /// `door`
    package static let httpRequestSeconds = "rollcall_http_request_seconds"
    /// Series that were not kept because their metric has ``PrometheusRegistry/mostSeriesPerMetric`` already.
    package static let seriesDropped = "rollcall_metrics_series_dropped_total"

    /// The HELP line of each.
    static let help: [String: String] = [
        deliveries: "Deliveries received, by source and the verdict on their signature.",
        acknowledgementSeconds: "Time from a delivery's arrival to its acknowledgement.",
        acknowledgementsLate: "Answers to deliveries that used more than half of their sender's patience, by source.",
        equalDeliveries: "Deliveries equal to an earlier one, of senders that sign neither id nor time, by source.",
        eventsPending: "Events that wait to be applied.",
        eventsOldestAge: "Age of the oldest event that waits to be applied.",
        applySeconds: "Time to apply the events of one claim.",
        commitBatchSize: "Changes that shared a commit, by kind of change.",
        poolConnections: "Database connections of the pool, by state.",
        partitionsAhead: "Partitions that exist beyond the current one, by table.",
        logEntriesSequenced: "Audit entries that got their index in a log.",
        logsHalted: "Logs that wait for an operator.",
        logPendingAge: "Age of the oldest audit entry that waits for its index.",
        expiredRemoved: "Rows that were over and are removed, by kind.",
        expiryRunAt: "When rows that are over were last all removed, as seconds since 1970.",
        limitedRequests: "Requests that had to wait, by limit.",
        checksRefused: "Forward-auth checks that were not answered 200, by reason.",
        httpRequests: "HTTP requests answered, by door and status.",
        httpRequestSeconds: "Time to answer an HTTP request, by door.",
        seriesDropped: "Series not kept because their metric had too many.",
    ]
}
