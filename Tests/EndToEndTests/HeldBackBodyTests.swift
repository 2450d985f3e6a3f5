import Foundation
import HTTPTypes
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// A call whose body is held back while the access of its token ends.
    @Suite struct HeldBackBody {
        @Test func `a body that comes after its token ended does nothing`() async throws {
            try await Development.with("held") { development in
                let admin = development.admin()
                let new: JSON = [
                    "name": "Held", "scopes": ["integrations:write", "integrations:read"],
                    "expires_at": .string(Date(timeIntervalSinceNow: 3600).formatted(.iso8601)),
                ]
                let made = try await admin.post("/v1/tokens", new).json
                let token = try #require(made["token"]?.string)
                let bodies = ["first", "second"].map { "{\"slug\": \"\($0)-held\", \"name\": \"Held back\"}" }
                func head(_ body: String) -> String {
                    [
                        "POST /v1/workspaces HTTP/1.1", "Host: 127.0.0.1:\(development.port)",
                        "Authorization: Bearer \(token)", "Content-Type: application/json",
                        "Content-Length: \(body.utf8.count)", "Connection: close", "", "",
                    ].joined(separator: "\r\n")
                }
                let control = try await Wire(port: development.port)
                _ = await control.send(head(bodies[0]) + bodies[0])
                #expect(await control.answer(within: .seconds(60)) == 201, "with a good token it is made")
                let wire = try await Wire(port: development.port)
                _ = await wire.send(head(bodies[1]) + String(bodies[1].prefix(10)))
                // It has been admitted by then; if not, it is refused all the same.
                try await Task.sleep(for: .seconds(1))
                let path = "/v1/tokens/\(made["id"]?.string ?? "")"
                #expect(try await admin.send(.delete, path).status == 204)
                _ = await wire.send(String(bodies[1].dropFirst(10)))
                #expect(await wire.answer(within: .seconds(60)) == 401)
                #expect(try await admin.get("/v1/workspaces").items.count { $0["name"] == "Held back" } == 1)
                control.close()
                wire.close()
            }
        }
    }
}
