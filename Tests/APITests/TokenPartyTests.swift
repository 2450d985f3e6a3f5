import Domain
import HTTPTypes
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Whose tokens a source takes` {
    private static let secret = Base64.standard.encode([UInt8](repeating: 7, count: 32))

    private func newSource(_ more: JSON.Object = [:]) -> JSON {
        var source: JSON.Object = [
            "slug": "tokens", "profile": "set", "mapping": "canonical", "keys": [["secret": .string(Self.secret)]],
        ]
        for (name, value) in more.members { source[name] = value }
        return .object(source)
    }

    private func change(_ api: TestAPI, _ made: TestAPI.Answer, _ patch: JSON) async throws -> TestAPI.Answer {
        let path = try #require(made.fields[.location])
        let tag = try await api.get(path, as: api.admin).fields[.eTag]
        return try await api.patch(path, patch, tag: tag, as: api.admin)
    }

    @Test func `where nothing is stated the admin is told, until it is`() async throws {
        try await TestAPI.with { api in
            let made = try await api.post("/v1/sources", newSource(), as: api.admin)
            #expect(made.status == 201)
            #expect(made.body["token_issuers"]?.isNull == true && made.body["token_audiences"]?.isNull == true)
            let cautions = (made.body["cautions"]?.array ?? []).map { $0.string ?? "" }
            try #require(cautions.count == 2)
            #expect(cautions[0].contains("token_issuers") && cautions[1].contains("token_audiences"))

            let stated = try await change(api, made, ["token_issuers": ["https://hr.example"]])
            #expect(stated.status == 200 && stated.body["token_issuers"] == ["https://hr.example"])
            #expect(stated.body["cautions"]?.array?.count == 1)
            let entry = try await api.entry(.sourceUpdated)
            #expect(entry["before"] == ["token_issuers": nil])
            #expect(entry["after"] == ["token_issuers": ["https://hr.example"]])

            let both = try await change(
                api,
                made,
                ["token_audiences": ["https://rollcall.example", "urn:rollcall:hr"]]
            )
            #expect(both.body["cautions"] == [])
            #expect(both.body["token_issuers"] == ["https://hr.example"])
            let id = try #require(SourceID(made.body["id"]?.string ?? ""))
            let hook = try #require(try await api.fixture.store.hook(id))
            #expect(hook.tokenParties.issuers == ["https://hr.example"])
            #expect(hook.tokenParties.audiences == ["https://rollcall.example", "urn:rollcall:hr"])
            #expect(hook.keysVersion == 3)
            let any = try await change(api, made, ["token_issuers": nil])
            #expect(any.body["token_issuers"]?.isNull == true && any.body["cautions"]?.array?.count == 1)
        }
    }

    @Test func `they are stated when a source is made, and its entry has them`() async throws {
        try await TestAPI.with { api in
            let parties: JSON.Object = ["token_issuers": ["https://hr.example"], "token_audiences": ["urn:a"]]
            let made = try await api.post("/v1/sources", newSource(parties), as: api.admin)
            #expect(made.body["token_issuers"] == ["https://hr.example"] && made.body["cautions"] == [])
            let after = try #require(try await api.entry(.sourceCreated)["after"])
            #expect(after["token_issuers"] == ["https://hr.example"] && after["token_audiences"] == ["urn:a"])
        }
    }

    @Test(arguments: ["token_issuers", "token_audiences"])
    func `what can be no party is refused, and so is any for deliveries that are no tokens`(member: String) async throws
    {
        try await TestAPI.with { api in
            let many = JSON.array(Array(repeating: "urn:a", count: TokenParties.most + 1))
            for value in [[], [""], ["a b"], ["urn:\u{7F}"], many] as [JSON] {
                let answer = try await api.post("/v1/sources", newSource([member: value]), as: api.admin)
                #expect(answer.status == 422 && answer.places.first?.hasPrefix("/" + member) == true, "\(value)")
            }
            var other = try #require(SourceTests.newSource().object)
            other[member] = ["urn:a"]
            let answer = try await api.post("/v1/sources", .object(other), as: api.admin)
            #expect(answer.status == 422 && answer.places == ["/" + member])
            #expect(try await api.fixture.number("SELECT count(*) FROM sources") == 0)
        }
    }
}
