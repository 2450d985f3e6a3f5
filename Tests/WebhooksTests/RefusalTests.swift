import Domain
import HTTPTypes
import Logging
import Postgres
import Storage
import TestSupport
import Testing
import Transparency
import Webhooks

@Suite struct `Refusing deliveries` {
    /// What is done to a good delivery, and what it is then refused for.
    enum Fault: String, CaseIterable, Sendable {
        case signatureMissing = "signature-missing"
        case signatureMalformed = "signature-malformed"
        case signatureWrong = "signature-wrong"
        case versionUnknown = "version-unknown"
        case idMissing = "id-missing"
        case timestampMissing = "timestamp-missing"
        case timestampMalformed = "timestamp-malformed"
        case timestampTooOld = "timestamp-too-old"
        case timestampTooEarly = "timestamp-in-the-future"

        func headers(_ hooks: TestHooks) throws -> HTTPFields {
            let now = hooks.fixture.clock.now()
            var fields = try hooks.signed()
            switch self {
            case .signatureMissing: fields[.webhookSignature] = nil
            case .signatureMalformed: fields[.webhookSignature] = "v1"
            case .signatureWrong:
                let other = "whsec_" + Base64.standard.encode([UInt8](repeating: 9, count: 24))
                fields = try hooks.signed(secret: other)
            case .versionUnknown:
                fields[.webhookSignature] = fields[.webhookSignature].map { "v7" + $0.dropFirst(2) }
            case .idMissing: fields[.webhookID] = nil
            case .timestampMissing: fields[.webhookTimestamp] = nil
            case .timestampMalformed: fields[.webhookTimestamp] = now.description
            case .timestampTooOld: fields = try hooks.signed(at: now - .seconds(301))
            case .timestampTooEarly: fields = try hooks.signed(at: now + .seconds(301))
            }
            return fields
        }
    }

    @Test func `a proof that does not fit is 401 with its reason, and leaves nothing`() async throws {
        try await TestHooks.with { hooks in
            for fault in Fault.allCases {
                let answer = try await hooks.post(try fault.headers(hooks))
                #expect(answer.status == 401, "\(fault)")
                #expect(answer.reason == fault.rawValue)
            }
            let forged = try await hooks.post(Array(#"{"type": "leaver"}"#.utf8), try hooks.signed())
            #expect(forged.status == 401 && forged.reason == "signature-wrong")
            #expect(try await hooks.deliveries == 0)
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id).isEmpty)
        }
    }

    @Test func `who is not there is 404, alike for what cannot be an id`() async throws {
        try await TestHooks.with { hooks in
            let stranger = SourceID.unguessable(using: hooks.fixture.randomness)
            for path in [stranger.description, "hr", "src_0", hooks.organization.id.description] {
                let answer = try await hooks.post(to: path, try hooks.signed())
                #expect(answer.status == 404, "\(path)")
                #expect(answer.body["type"] == "/problems/not-found")
            }
        }
    }

    @Test func `a key of another source proves nothing here`() async throws {
        try await TestHooks.with { hooks in
            let globex = try await hooks.fixture.organization("globex")
            let theirs = try await hooks.fixture.source(in: globex)
            let answer = try await hooks.post(to: theirs.id.description, try hooks.signed())
            #expect(answer.status == 401 && answer.reason == "signature-wrong")
        }
    }

    @Test func `a form or a page is 415, whoever signed it`() async throws {
        try await TestHooks.with { hooks in
            for type in ["application/x-www-form-urlencoded", "text/html", "text/plain; application/json", nil] {
                var fields = try hooks.signed()
                fields[.contentType] = type
                #expect(try await hooks.post(fields).status == 415, "\(type ?? "none")")
            }
            for (number, type) in ["application/json; charset=utf-8", "application/cloudevents+json"].enumerated() {
                var fields = try hooks.signed(id: "msg_\(number)")
                fields[.contentType] = type
                #expect(try await hooks.post(fields).status == 202, "\(type)")
            }
        }
    }

    // MARK: Faults of ours

    @Test func `a database that is away is 503, and says when to come again`() async throws {
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let away = PostgresPool(
            configuration: PostgresPoolConfiguration(
                connection: PostgresConnectionConfiguration(connectionString: "host=/nonexistent dbname=none"),
                // Far beyond what a door waits: an answer comes because the door gave up.
                waitTimeout: .seconds(600)
            ),
            logger: silent
        )
        let randomness = SeededRandomness()
        let store = Store(
            pool: away,
            keyring: try Keyring(parsing: Keyring.line(id: "test", using: randomness)),
            clock: FixedClock(),
            randomness: randomness,
            logger: silent
        )
        try await TestHooks.with(asking: store, mostWait: WebhooksDoor.mostWait) { hooks in
            let answer = try await hooks.post(try hooks.signed())
            #expect(answer.status == 503)
            #expect(answer.fields[.retryAfter] == "5")
            let forged = try await hooks.post(try Fault.signatureWrong.headers(hooks))
            #expect(forged.status == 503)
        }
    }

    @Test func `a source without a key is 503, never a refusal of the sender`() async throws {
        try await TestHooks.with { hooks in
            _ = try await hooks.fixture.owner.query("DELETE FROM source_keys")
            let answer = try await hooks.post(try hooks.signed())
            #expect(answer.status == 503)
            #expect(answer.fields[.retryAfter] == "5")
        }
    }

    @Test func `a key that cannot be opened is 503`() async throws {
        try await TestHooks.with { hooks in
            _ = try await hooks.fixture.owner.query("UPDATE source_keys SET sealed = set_byte(sealed, 90, 0)")
            #expect(try await hooks.post(try hooks.signed()).status == 503)
        }
    }

    // MARK: Tallies

    @Test func `refusals are counted, and told in one entry a reason`() async throws {
        try await TestHooks.with { hooks in
            for _ in 0..<3 { _ = try await hooks.post(try Fault.signatureWrong.headers(hooks)) }
            for _ in 0..<2 { _ = try await hooks.post(try Fault.signatureMissing.headers(hooks)) }
            await hooks.tallies.flush()
            _ = try await hooks.post(try Fault.signatureWrong.headers(hooks))
            await hooks.tallies.flush()
            #expect(try await hooks.fixture.number("SELECT count(*) FROM refusal_tallies") == 2)

            // A minute that is over by the database's clock.
            _ = try await hooks.fixture.owner.query(
                "UPDATE refusal_tallies SET minute = date_trunc('minute', now()) - interval '10 minutes'"
            )
            while try await hooks.fixture.store.performNext(RefusalSummary(), most: 1) > 0 {}
            let leaves = try await hooks.fixture.leaves(in: hooks.organization.id, action: .deliveryRefused)
            let told = leaves.map { "\($0["reason"]?.string ?? "") \($0[pointer: "/after/count"]?.int64 ?? 0)" }
            #expect(told.sorted() == ["signature-missing 2", "signature-wrong 4"])
            #expect(leaves.allSatisfy { $0[pointer: "/target/id"]?.string == hooks.source.id.description })
            #expect(leaves.allSatisfy { $0["outcome"] == "refused" && $0[pointer: "/after/seconds"] == 60 })
            #expect(try await hooks.fixture.number("SELECT count(*) FROM refusal_tallies") == 0)
        }
    }
}
