import Domain
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct ListTests {
    private static func workspaces(_ count: Int, in api: TestAPI) async throws {
        for number in 0..<count {
            // Ids of one millisecond have no order.
            api.fixture.clock.advance(by: .milliseconds(1))
            _ = try await api.post(
                "/v1/workspaces",
                ["slug": .string("w\(number)"), "name": .string(number % 2 == 0 ? "Even" : "Odd")],
                as: api.admin
            )
        }
    }

    @Test(arguments: [1, 2, 3, 7, 200]) func `pages hold everything once, in order`(limit: Int) async throws {
        try await TestAPI.with { api in
            try await Self.workspaces(6, in: api)
            var slugs: [String] = []
            var path = "/v1/workspaces?limit=\(limit)"
            var pages = 0
            while pages < 20 {
                let page = try await api.get(path, as: api.auditor)
                #expect(page.items.count <= limit)
                slugs += page.items.compactMap { $0["slug"]?.string }
                pages += 1
                guard let next = page.body["next_cursor"]?.string else { break }
                path = "/v1/workspaces?limit=\(limit)&cursor=\(next)"
            }
            #expect(slugs == ["default"] + (0..<6).map { "w\($0)" })
            #expect(pages == (7 + limit - 1) / limit)
        }
    }

    @Test func `a filter selects, and its cursor goes with no other filter`() async throws {
        try await TestAPI.with { api in
            try await Self.workspaces(6, in: api)
            let filtered = "/v1/workspaces?filter=name%20eq%20%22odd%22"
            let first = try await api.get(filtered + "&limit=2", as: api.auditor)
            #expect(first.items.compactMap { $0["slug"]?.string } == ["w1", "w3"])
            let next = try #require(first.body["next_cursor"]?.string)
            let second = try await api.get(filtered + "&limit=2&cursor=" + next, as: api.auditor)
            #expect(second.items.compactMap { $0["slug"]?.string } == ["w5"])
            #expect(second.body["next_cursor"]?.isNull == true)
            for path in ["/v1/workspaces?cursor=\(next)", "/v1/sources?cursor=\(next)", "/v1/workspaces?cursor=AAAA"] {
                #expect(try await api.get(path, as: api.auditor).places == ["cursor"])
            }
        }
    }

    @Test func `a cursor of another organization is no cursor`() async throws {
        try await TestAPI.with { api in
            try await Self.workspaces(3, in: api)
            let next = try #require(
                try await api.get("/v1/workspaces?limit=1", as: api.auditor).body["next_cursor"]?.string
            )
            let other = try await api.fixture.organization("globex")
            let stranger = try await api.fixture.auditor(in: other)
            #expect(try await api.get("/v1/workspaces?limit=1&cursor=\(next)", as: stranger).places == ["cursor"])
        }
    }

    @Test(arguments: [
        ("limit=0", "limit"), ("limit=201", "limit"), ("limit=+5", "limit"), ("filter=name%20is%20%22a%22", "filter"),
        ("lmit=5", "lmit"), ("limit=5&limit=6", "limit"),
    ])
    func `what a list cannot take is refused by its name`(query: String, parameter: String) async throws {
        try await TestAPI.with { api in
            let answer = try await api.get("/v1/workspaces?" + query, as: api.auditor)
            #expect(answer.status == 422)
            #expect(answer.places == [parameter])
        }
    }
}
