import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// `rollcall keys signing …`, by the operator of the machine, while a server serves.
    @Suite struct SigningKeys {
        @Test func `keys are listed, follow each other, and one is taken out at once`() async throws {
            try await Development.with("signing") { development in
                let environment = development.settings()
                func keys(_ words: String..., status: Int32 = 0) async throws -> [JSON] {
                    let run = try await Program.run(
                        ["keys", "signing"] + words + ["-o", "json"],
                        environment: environment
                    )
                    #expect(run.status == status, "\(words): \(run.stderr)")
                    return status == 0 ? try JSON.parse(text: run.stdout).array ?? [] : []
                }
                func ids(_ keys: [JSON], _ state: String) -> [String] {
                    keys.filter { $0["state"]?.string == state }.compactMap { $0["id"]?.string }
                }
                func published() async throws -> Set<String> {
                    let answer = try await development.bearer(nil).get("/.well-known/jwks.json").json
                    return Set((answer["keys"]?.array ?? []).compactMap { $0["kid"]?.string })
                }
                // The server makes the first when somebody asks for it.
                let first = try await published()
                let listed = try await keys("list")
                let signing = try #require(ids(listed, "signing").first)
                #expect(listed.count == 1 && first == [signing])

                let rotated = try await keys("rotate")
                let waiting = try #require(ids(rotated, "waiting").first)
                #expect(ids(rotated, "signing") == [signing] && waiting != signing)
                _ = try await keys("rotate", status: 6)
                _ = try await keys("end", "nothing", status: 3)

                let left = try await keys("end", signing)
                #expect(!left.contains { $0["id"]?.string == signing })
                #expect(ids(left, "signing").count == 1, "another one signs at once")
                #expect(try await keys("list").count == left.count)
                // The node follows within a minute.
                let deadline = ContinuousClock.now + .seconds(100)
                var seen = try await published()
                while seen.contains(signing), ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(500))
                    seen = try await published()
                }
                #expect(!seen.contains(signing) && !seen.isEmpty)
                let table = try await Program.run(["keys", "signing", "list"], environment: environment)
                #expect(table.stdout.hasPrefix("ID") && !table.stdout.contains("secret"))
            }
        }
    }
}
