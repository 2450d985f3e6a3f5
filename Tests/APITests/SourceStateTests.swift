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
            for (address, token) in [
                ("192.0.2.7", "the sender's own token"), ("198.51.100.7", "somebody else's token"),
            ] {
                let origin = Attribution.Origin(address: IPAddress(address))
                let attribution = Attribution(
                    actor: .system("doors"),
                    origin: origin,
                    receivedAt: api.fixture.clock.now()
                )
                let capture = PendingKeyCapture(of: HiddenText(token), from: id, by: attribution)
                #expect(try await api.fixture.store.perform(capture, in: api.organization.id) == .pending)
                api.fixture.clock.advance(by: .seconds(1))
            }
            let path = "/v1/sources/\(id)/pending-keys"
            let pending = try await api.get(path, as: api.auditor)
            #expect(pending.items.count == 2 && !pending.body.text.contains("token"))
            let first = try #require(pending.items.first?["id"]?.string)
            let second = try #require(pending.items.last?["id"]?.string)
            #expect(pending.items.map { $0["client_ip"]?.string } == ["192.0.2.7", "198.51.100.7"])
            // sha256("the sender's own token") begins so.
            #expect(pending.items.first?["fingerprint"]?.string == "a9816ce5")
            #expect(pending.items.first?["revealed_at"] == .null)
            #expect(try await api.post("\(path)/\(first)/reveal", as: api.auditor).status == 403)
            let revealed = try await api.post("\(path)/\(first)/reveal", as: api.admin)
            #expect(revealed.status == 200 && revealed.body["secret"] == "the sender's own token")
            #expect(try await api.entry(.sourceKeyRevealed)["target"]?["id"]?.string == first)
            let again = try await api.post("\(path)/\(first)/reveal", as: api.admin)
            #expect(again.status == 409 && !again.body.text.contains("own token"))
            let looked = try await api.get(path, as: api.auditor)
            #expect(looked.items.first?["revealed_at"]?.string == revealed.body["revealed_at"]?.string)
            #expect(looked.items.last?["revealed_at"] == .null && !looked.body.text.contains("token"))
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

    @Test func `a key's end and name are changed as it was read, and who signed last is shown`() async throws {
        try await TestAPI.with { api in
            let source = try await api.fixture.source(in: api.organization)
            let path = "/v1/sources/\(source.id)"
            let new: JSON = ["secret": "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGU=", "label": "new"]
            let added = try await api.post(path + "/keys", new, as: api.admin)
            let second = try #require(added.body["id"]?.string)
            #expect(try await api.get(path, as: api.auditor).body["key_used_last"] == .null)
            let delivery = api.fixture.acceptance(of: [], from: source, notesKeyUse: true)
            _ = try await api.fixture.store.perform(delivery, in: api.organization.id)
            #expect(try await api.get(path, as: api.auditor).body["key_used_last"]?.string == source.key.description)

            let old = path + "/keys/\(source.key)"
            let read = try await api.get(old, as: api.auditor)
            #expect(read.body["label"] == "first" && read.body["last_used_at"]?.string != nil)
            let tag = read.fields[.eTag]
            let end: JSON = ["not_after": "2026-12-01T00:00:00Z"]
            #expect(try await api.patch(old, end, tag: nil, as: api.admin).status == 428)
            #expect(try await api.patch(old, end, tag: tag, as: api.auditor).status == 403)
            let ended = try await api.patch(old, end, tag: tag, as: api.admin)
            #expect(ended.status == 200 && ended.body["not_after"] == "2026-12-01T00:00:00Z")
            #expect(ended.body["label"] == "first" && ended.fields[.eTag] != tag)
            let entry = try await api.entry(.sourceKeyUpdated)
            #expect(entry["target"]?["id"]?.string == source.key.description)
            #expect(entry[pointer: "/before/not_after"] == .null)
            #expect(entry[pointer: "/after/not_after"] == "2026-12-01T00:00:00Z")
            #expect(try await api.patch(old, ["label": "x"], tag: tag, as: api.admin).status == 412)
            let newest = ended.fields[.eTag]
            let early = try await api.patch(
                old,
                ["not_before": "2026-12-01T00:00:00Z"],
                tag: newest,
                as: api.admin
            )
            #expect(early.status == 422 && early.places == ["/not_after"])
            let unknown = try await api.patch(old, ["secret": "x"], tag: newest, as: api.admin)
            #expect(unknown.status == 422)
            let named = try await api.patch(old, ["label": "old", "not_after": nil], tag: newest, as: api.admin)
            #expect(named.body["label"] == "old" && named.body["not_after"] == .null)

            let hook = try await api.fixture.store.hook(source.id)
            #expect(hook?.keys.contains { $0.label == "old" && $0.notAfter == nil } == true)
            #expect(try await api.get(path + "/keys/\(second)", as: api.auditor).body["label"] == "new")
            let other = try await api.fixture.source(in: api.organization, slug: "other")
            #expect(try await api.get("/v1/sources/\(other.id)/keys/\(second)", as: api.auditor).status == 404)
        }
    }

    @Test func `a request that came too late for a key is verified again when the key's end moves`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization()
            let admin = try await fixture.securityAdmin(in: organization)
            let source = try await fixture.source(in: organization)
            let versions: SQL = "SELECT keys_version FROM sources"
            let before = try await fixture.number(versions)
            let update = SourceKeyUpdate(
                of: source.key,
                from: source.id,
                version: 1,
                to: .init(label: "first", notBefore: nil, notAfter: fixture.clock.now() + .seconds(60)),
                by: fixture.attribution(of: admin)
            )
            _ = try await fixture.store.perform(update, in: organization.id)
            #expect(try await fixture.number(versions) == before + 1)
            await #expect(throws: ChangeRefusal.self) {
                _ = try await fixture.store.perform(update, in: organization.id)
            }
        }
    }
}
