import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Requests that were rejected` {
    private func count(_ hooks: TestHooks) async throws -> Int {
        try await hooks.fixture.number("SELECT count(*) FROM rejected_requests")
    }

    private func review(_ hooks: TestHooks) async throws {
        let review = RejectedReview(profiles: hooks.profiles)
        while try await hooks.fixture.store.performNext(review, most: 16) > 0 {}
    }

    private func addKey(_ secret: String, _ hooks: TestHooks) async throws {
        let admin = try await hooks.fixture.securityAdmin(in: hooks.organization)
        let key = NewSourceKey(secret: HiddenText(secret), label: "corrected", notBefore: nil, notAfter: nil)
        _ = try await hooks.fixture.store.perform(
            SourceKeyAddition(key, to: hooks.source.id, by: hooks.fixture.attribution(of: admin)),
            in: hooks.organization.id
        )
    }

    @Test func `only what carries a proof in good form is kept, sealed, and once`() async throws {
        try await TestHooks.with { hooks in
            var bare = try hooks.signed()
            bare[.webhookSignature] = nil
            var garbled = try hooks.signed()
            garbled[.webhookSignature] = "v1"
            for fields in [bare, garbled] { #expect(try await hooks.post(fields).status == 401) }
            await hooks.rejected.flush()
            #expect(try await count(hooks) == 0)

            for _ in 0..<3 { #expect(try await hooks.post(try hooks.signed(secret: otherSecret)).status == 401) }
            await hooks.rejected.flush()
            #expect(try await count(hooks) == 1)
            let sealed = try await hooks.fixture.text("SELECT encode(sealed, 'escape') FROM rejected_requests")
            #expect(sealed?.contains("ping") == false && sealed?.contains("msg_1") == false)
            let quota = try await hooks.fixture.owner.query("SELECT requests, networks::text FROM rejected_quotas")
            #expect(try quota.first?.decode("requests", as: Int32.self) == 1)
            #expect(try quota.first?.decode("networks", as: String.self) == #"{"192.0.2.0/24": 1}"#)
        }
    }

    @Test func `once the key is corrected they become deliveries, each once, and the entry says so`() async throws {
        try await TestHooks.with { hooks in
            let receivedAt = hooks.fixture.clock.now()
            for id in ["msg_1", "msg_2"] {
                #expect(try await hooks.post(try hooks.signed(id: id, secret: otherSecret)).status == 401)
            }
            await hooks.rejected.flush()
            try await review(hooks)
            #expect(try await count(hooks) == 2)

            // Days later; its own time of receipt is what counts.
            hooks.fixture.clock.advance(by: .seconds(3 * 86_400))
            try await addKey(otherSecret, hooks)
            try await review(hooks)
            #expect(try await count(hooks) == 0)
            #expect(try await hooks.deliveries == 2)
            let rows = try await hooks.fixture.owner.query("SELECT received_at, status, body FROM deliveries")
            for row in rows {
                #expect(try row.decode("received_at", as: Timestamp.self) == receivedAt)
                #expect(try row.decode("status", as: String.self) == "accepted")
                #expect(try row.decode("body", as: [UInt8].self) == TestHooks.body)
            }
            let entries = try await hooks.fixture.leaves(in: hooks.organization.id, action: .rejectedAccepted)
            #expect(entries.count == 2)
            #expect(entries.allSatisfy { $0[pointer: "/after/duplicate"] == false && $0["client_ip"] == "192.0.2.7" })
            #expect(try await hooks.fixture.leaves(in: hooks.organization.id, action: .deliveryAccepted).count == 2)
            #expect(try await hooks.fixture.number("SELECT requests::bigint FROM rejected_quotas") == 0)
            #expect(try await hooks.fixture.number("SELECT bytes FROM rejected_quotas") == 0)
        }
    }

    @Test func `they stand before what was delivered after them`() async throws {
        try await TestHooks.with { hooks in
            #expect(try await hooks.post(try hooks.signed(id: "early", secret: otherSecret)).status == 401)
            await hooks.rejected.flush()
            #expect(try await hooks.post(try hooks.signed(id: "late")).status == 202)
            try await addKey(otherSecret, hooks)
            try await review(hooks)
            let keys = try await hooks.fixture.owner.query(
                """
                SELECT d.sequence < late.sequence AND d.stored_at < late.stored_at AS stands_before
                FROM deliveries d, deliveries late WHERE late.key_id <> d.key_id AND late.sequence > d.sequence
                """
            )
            #expect(keys.count == 1)
            #expect(try keys.first?.decode("stands_before", as: Bool.self) == true)
            let first = try await hooks.fixture.text(
                "SELECT k.label FROM deliveries d JOIN source_keys k ON k.id = d.key_id ORDER BY d.sequence LIMIT 1"
            )
            #expect(first == "corrected")
        }
    }

    @Test func `what was delivered meanwhile stays one delivery`() async throws {
        try await TestHooks.with { hooks in
            #expect(try await hooks.post(try hooks.signed(secret: otherSecret)).status == 401)
            await hooks.rejected.flush()
            let first = try await hooks.post(try hooks.signed())
            try await addKey(otherSecret, hooks)
            try await review(hooks)
            #expect(try await hooks.deliveries == 1)
            let entry = try #require(
                try await hooks.fixture.leaves(in: hooks.organization.id, action: .rejectedAccepted).last
            )
            #expect(entry[pointer: "/after/duplicate"] == true)
            #expect(entry[pointer: "/after/delivery"] == first.body["delivery"])
        }
    }

    @Test func `one that was judged by keys of before its source's latest is verified again at once`() async throws {
        try await TestHooks.with { hooks in
            // The door knows the source as it was a second ago.
            #expect(try await hooks.post(try hooks.signed()).status == 202)
            try await addKey(otherSecret, hooks)
            #expect(try await hooks.post(try hooks.signed(id: "msg_2", secret: otherSecret)).status == 401)
            await hooks.rejected.flush()
            try await review(hooks)
            #expect(try await hooks.deliveries == 2)
        }
    }

    @Test func `a shared token is kept as a digest, and is enough to verify again`() async throws {
        try await TestHooks.with(profile: "bearing", secret: "the wrong token") { hooks in
            #expect(try await hooks.post(try hooks.signed(secret: "the right token")).status == 401)
            await hooks.rejected.flush()
            let id = try #require(
                try await hooks.fixture.owner.query("SELECT id FROM rejected_requests").first?.decode(
                    "id",
                    as: RejectedRequestID.self
                )
            )
            let content = try #require(
                try await hooks.fixture.store.read(as: hooks.organization.id) { try await $0.rejectedContent(id) }
            )
            #expect(content.body == TestHooks.body)
            #expect(!JSON.object(content.headers).text.contains("right token"))
            try await addKey("the right token", hooks)
            try await review(hooks)
            #expect(try await hooks.deliveries == 1)
            #expect(try await hooks.fixture.number("SELECT count(*) FROM deliveries WHERE NOT body_proved") == 1)
        }
    }

    @Test func `after seven days they are gone, and an entry says how many`() async throws {
        try await TestHooks.with { hooks in
            for id in ["msg_1", "msg_2"] { _ = try await hooks.post(try hooks.signed(id: id, secret: otherSecret)) }
            await hooks.rejected.flush()
            _ = try await hooks.fixture.owner.query(
                """
                UPDATE rejected_requests SET stored_at = now() - interval '7 days 1 second'
                WHERE id = (SELECT id FROM rejected_requests ORDER BY id LIMIT 1)
                """
            )
            while try await hooks.fixture.store.performNext(RejectedExpiry(), most: 50) > 0 {}
            #expect(try await count(hooks) == 1)
            #expect(try await hooks.fixture.number("SELECT requests::bigint FROM rejected_quotas") == 1)
            let entry = try #require(
                try await hooks.fixture.leaves(in: hooks.organization.id, action: .rejectedExpired).last
            )
            #expect(entry[pointer: "/after/count"] == 1)
        }
    }
}
