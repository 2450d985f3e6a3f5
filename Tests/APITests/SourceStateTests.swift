import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct SourceStateTests {
    private func change(_ api: TestAPI, _ source: SourceID, _ patch: JSON) async throws -> TestAPI.Answer {
        let path = "/v1/sources/\(source)"
        let tag = try await api.get(path, as: api.admin).fields[.eTag]
        return try await api.patch(path, patch, tag: tag, as: api.admin)
    }

    @Test func `a source is paused, resumed and disabled, and its addresses are bound`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            for status in ["paused", "active", "disabled"] {
                let answer = try await change(api, source.id, ["status": .string(status)])
                #expect(answer.status == 200 && answer.body["status"]?.string == status)
                #expect(try await api.entry(.sourceUpdated)["after"] == ["status": .string(status)])
            }
            let bound = try await change(api, source.id, ["ip_allow_list": ["192.0.2.0/24", "2001:db8::/48"]])
            #expect(bound.body["ip_allow_list"] == ["192.0.2.0/24", "2001:db8::/48"])
            let hook = try await api.fixture.store.hook(source.id)
            #expect(hook?.ipAllowList?.count == 2 && hook?.status == .disabled)
            let empty = try await change(api, source.id, ["ip_allow_list": []])
            #expect(empty.status == 422 && empty.places == ["/ip_allow_list"])
            let wrong = try await change(api, source.id, ["ip_allow_list": ["192.0.2.1/24"]])
            #expect(wrong.places == ["/ip_allow_list/0"])
            let free = try await change(api, source.id, ["ip_allow_list": nil])
            #expect(free.body["ip_allow_list"]?.isNull == true)
        }
    }

    @Test func `a decision on unproved bodies is for profiles that need one, with its author`() async throws {
        try await TestAPI.with { api in
            let proved = try await api.fixture.source(in: api.organization)
            let refused = try await change(api, proved.id, ["accept_unproved_bodies": true])
            #expect(refused.status == 422 && refused.places == ["/accept_unproved_bodies"])

            let source = try await api.fixture.source(
                in: api.organization,
                slug: "tokens",
                profile: "personio",
                secret: "a token"
            )
            let shown = try await api.get("/v1/sources/\(source.id)", as: api.auditor)
            #expect(shown.body["expects"]?["proves_body"] == false)
            #expect(shown.body["expects"]?["unconfirmed"]?.array?.isEmpty == false)
            #expect(shown.body["accept_unproved_bodies"] == false)
            let decided = try await change(api, source.id, ["accept_unproved_bodies": true])
            #expect(decided.body["accept_unproved_bodies"] == true)
            #expect(decided.body["unproved_bodies_accepted_by"]?.string == api.admin.user.description)
            #expect(decided.body["unproved_bodies_accepted_at"]?.string != nil)
            let entry = try await api.entry(.sourceUpdated)
            #expect(entry["after"] == ["accept_unproved_bodies": true, "released_events": 0])
            let renamed = try await change(api, source.id, ["slug": "renamed"])
            let kept = renamed.body["unproved_bodies_accepted_at"]
            #expect(kept == decided.body["unproved_bodies_accepted_at"])
            let taken = try await change(api, source.id, ["accept_unproved_bodies": false])
            #expect(taken.body["unproved_bodies_accepted_by"]?.isNull == true)
        }
    }

    @Test func `a key that a handshake brought is confirmed once, or dismissed`() async throws {
        try await TestAPI.with { api in
            let body: JSON = [
                "slug": "payroll", "profile": "gusto", "mapping": "canonical", "keys": [],
            ]
            let made = try await api.post("/v1/sources", body, as: api.admin)
            #expect(made.status == 201 && made.body["expects"]?["brings_its_key"] == true)
            let id = try #require(made.body["id"]?.string.flatMap { SourceID($0) })
            for token in ["the sender's own token", "somebody else's token"] {
                let attribution = Attribution(actor: .system("doors"), receivedAt: api.fixture.clock.now())
                let capture = PendingKeyCapture(of: HiddenText(token), from: id, by: attribution)
                #expect(try await api.fixture.store.perform(capture, in: api.organization.id) == .pending)
                api.fixture.clock.advance(by: .seconds(1))
            }
            let path = "/v1/sources/\(id)/pending-keys"
            let pending = try await api.get(path, as: api.auditor)
            #expect(pending.items.count == 2 && !pending.body.text.contains("token"))
            let first = try #require(pending.items.first?["id"]?.string)
            let second = try #require(pending.items.last?["id"]?.string)
            #expect(try await api.post("\(path)/\(first)/confirm", as: api.auditor).status == 403)
            let confirmed = try await api.post("\(path)/\(first)/confirm", as: api.admin)
            #expect(confirmed.status == 200 && confirmed.body["secret"] == "the sender's own token")
            #expect(try await api.post("\(path)/\(first)/confirm", as: api.admin).status == 404)
            #expect(try await api.send(.delete, "\(path)/\(second)", as: api.admin).status == 204)
            #expect(try await api.get(path, as: api.admin).items.isEmpty)
            let shown = try await api.get("/v1/sources/\(id)", as: api.admin)
            #expect(shown.body["keys"]?.array?.compactMap { $0["id"]?.string } == [first])
            for leaf in try await api.fixture.leaves(in: api.organization.id) {
                #expect(!leaf.text.contains("own token"))
            }
            #expect(try await api.entry(.sourceKeyDismissed)["target"]?["id"]?.string == second)
        }
    }
}
