import CoreMetrics
import Edge
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import Synchronization
import Testing

@Suite struct MetricTests {
    @Test func `the exposition is what Prometheus reads`() {
        let registry = PrometheusRegistry()
        let counter = Counter(
            label: MetricName.deliveries,
            dimensions: [("verdict", "ok"), ("source", "a\"b\\c\nd")],
            factory: registry
        )
        counter.increment(by: 2)
        Counter(
            label: MetricName.deliveries,
            dimensions: [("source", "a\"b\\c\nd"), ("verdict", "ok")],
            factory: registry
        ).increment()
        Meter(label: MetricName.eventsPending, factory: registry).set(2.5)
        let timer = CoreMetrics.Timer(label: MetricName.applySeconds, factory: registry)
        timer.recordMilliseconds(3)
        timer.recordSeconds(2)
        timer.recordSeconds(3600)
        let text = registry.exposition()
        #expect(text.contains("# TYPE rollcall_deliveries_total counter\n"))
        #expect(text.contains("# HELP rollcall_deliveries_total "))
        #expect(text.contains(#"rollcall_deliveries_total{source="a\"b\\c\nd",verdict="ok"} 3"# + "\n"))
        #expect(text.contains("# TYPE rollcall_events_pending gauge\nrollcall_events_pending 2.5\n"))
        #expect(text.contains("# TYPE rollcall_apply_seconds histogram\n"))
        #expect(text.contains("rollcall_apply_seconds_bucket{le=\"0.0025\"} 0\n"))
        #expect(text.contains("rollcall_apply_seconds_bucket{le=\"0.005\"} 1\n"))
        #expect(text.contains("rollcall_apply_seconds_bucket{le=\"2.5\"} 2\n"))
        #expect(text.contains("rollcall_apply_seconds_bucket{le=\"60\"} 2\n"))
        #expect(text.contains("rollcall_apply_seconds_bucket{le=\"+Inf\"} 3\n"))
        #expect(text.contains("rollcall_apply_seconds_count 3\n"))
        #expect(text.contains("rollcall_apply_seconds_sum 3602.003"))
        #expect(text.hasSuffix("\n"))
    }

    @Test func `a metric keeps a bounded number of series and says that it did`() {
        let registry = PrometheusRegistry()
        for index in 0..<PrometheusRegistry.mostSeriesPerMetric + 5 {
            Counter(label: "many", dimensions: [("id", "\(index)")], factory: registry).increment()
        }
        let text = registry.exposition()
        #expect(text.split(separator: "\n").count { $0.hasPrefix("many{") } == PrometheusRegistry.mostSeriesPerMetric)
        #expect(text.contains("rollcall_metrics_series_dropped_total 5\n"))
    }

    @Test func `a name that is taken by another kind counts into the void`() {
        let registry = PrometheusRegistry()
        Counter(label: "one.name", factory: registry).increment()
        Meter(label: "one.name", factory: registry).set(9)
        let text = registry.exposition()
        #expect(text.contains("# TYPE one_name counter\none_name 1\n"))
        #expect(!text.contains("gauge"))
    }

    @Test func `counting from many tasks loses nothing`() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 { Counter(label: "c", dimensions: [("a", "b")], factory: registry).increment() }
                }
            }
        }
        #expect(registry.exposition().contains("c{a=\"b\"} 8000\n"))
    }

    @Test func `the metrics server serves metrics and nothing else`() async throws {
        let registry = PrometheusRegistry()
        Counter(label: "seen", factory: registry).increment()
        let application = try MetricsServer.application(
            address: .hostname("localhost", port: 0),
            registry: registry,
            logger: quietLogger(),
            surroundings: EdgeSurroundings(clock: StillClock(), randomness: CountingRandomness())
        )
        try await application.test(.live) { client in
            let scrape = try await client.execute(uri: "/metrics", method: .get)
            #expect(scrape.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(String(buffer: scrape.body).contains("seen 1\n"))
            #expect(try await client.execute(uri: "/", method: .get).status == .notFound)
        }
    }
}

@Suite struct LogTests {
    private func logged(_ body: (Logger) -> Void) throws -> [[String: String]] {
        let lines = LogLines()
        let sink = lines.sink
        body(
            Logger(label: "room") { label in
                JSONLogHandler(label: label, level: .info, clock: StillClock(), sink: sink)
            }
        )
        sink.flush()
        return try lines.all.joined().split(separator: "\n").map {
            try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
    }

    @Test func `a line is one JSON object with its metadata by name`() throws {
        let lines = try logged { logger in
            logger.info("It happened", metadata: ["request_id": "req_1", "time": "mine", "quote": "a\"b\n\u{1}é"])
            logger.debug("Not this")
        }
        #expect(lines.count == 1)
        #expect(lines[0]["message"] == "It happened")
        #expect(lines[0]["level"] == "info")
        #expect(lines[0]["label"] == "room")
        #expect(lines[0]["request_id"] == "req_1")
        #expect(lines[0]["quote"] == "a\"b\n\u{1}é")
        #expect(lines[0]["metadata_time"] == "mine")
        #expect(lines[0]["time"]?.hasSuffix("Z") == true)
    }

    @Test func `a long text is cut and stays JSON`() throws {
        let lines = try logged { $0.info("x", metadata: ["long": .string(String(repeating: "é\"", count: 50_000))]) }
        #expect(lines.count == 1)
        #expect(try #require(lines[0]["long"]).utf8.count < 5000)
    }

    @Test(arguments: [
        ("token rca_0123456789abcdefABCDEF0123456789abcdefABCDEF01234x here", "token rca_[redacted] here"),
        ("rcs_AAAAAAAAAAAAAAAA,rcc_BBBBBBBBBBBB", "rcs_[redacted],rcc_[redacted]"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_[redacted]"),
        ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "whsk_[redacted]"),
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: Bearer [redacted]"),
        ("authorization: bASIC dXNlcjpwYXNzd29yZA==", "authorization: bASIC [redacted]"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end", "jwt eyJ[redacted] end"),
        ("key -----BEGIN PRIVATE KEY-----\nMIIE", "key -----BEGIN [redacted]"),
        ("src_01kaj3 and rca_ and basic facts", "src_01kaj3 and rca_ and basic facts"),
        ("", ""),
    ])
    func `what looks like a secret is blanked`(text: String, expected: String) {
        #expect(LogScrubber.scrub(text) == expected)
    }

    @Test func `a secret anywhere in a line is blanked`() throws {
        let secret = "rcp_0123456789abcdefABCDEF0123456789abcdefABCDEF01234x"
        let lines = LogLines()
        let sink = lines.sink
        let logger = Logger(label: "room") { label in
            JSONLogHandler(label: label, level: .info, clock: StillClock(), sink: sink)
        }
        logger.info(
            "\(secret)",
            metadata: ["a": .array([.string(secret)]), "b": .dictionary(["c": .string(secret)]), "\(secret)": "d"]
        )
        logger.info("cut", metadata: ["long": .string(String(repeating: "-", count: 4080) + secret)])
        sink.flush()
        let text = lines.all.joined()
        #expect(text.split(separator: "\n").count == 2)
        #expect(!text.contains("0123456789"))
    }

    @Test func `a reader that stalls holds up nobody, and what was lost is counted`() async throws {
        let released = Atomic<Bool>(false)
        let written = Mutex<[UInt8]>([])
        let sink = LogSink { bytes in
            while !released.load(ordering: .relaxed) { Thread.sleep(forTimeInterval: 0.005) }
            written.withLock { $0 += bytes }
        }
        let line = [UInt8](repeating: 97, count: 1023) + [10]
        // Returns at all: the reader goes on only afterwards.
        for _ in 0..<10_000 { sink.append(line) }
        released.store(true, ordering: .relaxed)
        sink.flush(within: .seconds(60))
        let text = String(decoding: written.withLock { $0 }, as: UTF8.self)
        #expect(text.contains("Log lines were dropped"))
        #expect(text.utf8.count <= 2 * LogSink.mostQueuedBytes + 1024)
    }
}
