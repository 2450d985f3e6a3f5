import Domain
import HTTPTypes
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct `Resources that tokens may be for` {
    private static let payroll: JSON = [
        "identifier": "https://payroll.example/api", "name": "Payroll", "token_format": "jwt",
    ]

    @Test func `admins add, list and remove them, and no two organizations have the same`() async throws {
        try await TestAPI.with { api in
            #expect(try await api.post("/v1/resources", Self.payroll, as: api.auditor).status == 403)
            let made = try await api.post("/v1/resources", Self.payroll, as: api.admin)
            #expect(made.status == 201 && made.body["token_format"] == "jwt" && made.body["own"] == false)
            #expect(try await api.entry(.resourceCreated)["after"]?["identifier"] == Self.payroll["identifier"])
            #expect(try await api.post("/v1/resources", Self.payroll, as: api.admin).status == 409)
            let other = try await api.fixture.organization("other")
            let stranger = try await api.fixture.securityAdmin(in: other)
            #expect(try await api.post("/v1/resources", Self.payroll, as: stranger).status == 409)
            #expect(try await api.get("/v1/resources", as: stranger).items.isEmpty)
            let id = try #require(made.body["id"]?.string)
            #expect(try await api.send(.delete, "/v1/resources/" + id, as: stranger).status == 404)
            #expect(try await api.get("/v1/resources", as: api.auditor).items.count == 1)
            #expect(try await api.send(.delete, "/v1/resources/" + id, as: api.admin).status == 204)
            #expect(try await api.send(.delete, "/v1/resources/" + id, as: api.admin).status == 404)
            #expect(try await api.post("/v1/resources", Self.payroll, as: stranger).status == 201)
        }
    }

    @Test func `an identifier is an address in one spelling, and a form is a word`() async throws {
        try await TestAPI.with { api in
            for (name, value) in [
                ("identifier", "http://payroll.example"), ("identifier", "https://Payroll.example"),
                ("identifier", "https://payroll.example/#a"), ("token_format", "paseto"), ("name", " "),
            ] as [(String, JSON)] {
                var new = try #require(Self.payroll.object)
                new[name] = value
                #expect(try await api.post("/v1/resources", .object(new), as: api.admin).status == 422, "\(name)")
            }
        }
    }
}
