import HTTPTypes
import Outbound
import Transparency

/// An answer, whatever it is.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    /// null where it is not JSON.
    var json: JSON { (try? JSON.parse(body)) ?? .null }
    var items: [JSON] { json["items"]?.array ?? [] }
    var problem: String? { json["type"]?.string?.split(separator: "/").last.map(String.init) }
}

/// A caller of a server with a token, or without one.
struct Bearer: Sendable {
    let base: String
    let token: String?
    private let outbound = OutboundClient(policy: .operatorChosen)

    init(base: String, token: String?) {
        self.base = base
        self.token = token
    }

    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        headers: HTTPFields = [:],
        body: [UInt8] = []
    ) async throws -> Answer {
        var headers = headers
        if let token { headers[.authorization] = "Bearer \(token)" }
        let url = path.hasPrefix("/") ? base + path : path
        let request = OutboundRequest(method: method, url: url, headers: headers, body: body)
        let response = try await outbound.send(request)
        return Answer(status: response.status.code, headers: response.headers, body: response.body)
    }

    func get(_ path: String) async throws -> Answer { try await send(.get, path) }

    func get(_ path: String, filter: String) async throws -> [JSON] {
        let unreserved = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".utf8)
        let escaped = filter.utf8.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return unreserved.contains(byte)
                ? String(UnicodeScalar(byte)) : "%" + (digits.count == 1 ? "0" : "") + digits
        }
        return try await get("\(path)?filter=\(escaped.joined())").items
    }

    func post(_ path: String, _ json: JSON = [:]) async throws -> Answer {
        try await send(.post, path, headers: [.contentType: "application/json"], body: json.bytes)
    }

    /// RFC 7396, over the version that is there now.
    func patch(_ path: String, _ json: JSON) async throws -> Answer {
        var headers: HTTPFields = [.contentType: "application/merge-patch+json"]
        headers[.ifMatch] = try await get(path).headers[.eTag]
        return try await send(.patch, path, headers: headers, body: json.bytes)
    }

    func form(_ path: String, _ fields: [(String, String)]) async throws -> Answer {
        let text = fields.map { "\($0)=\($1)" }.joined(separator: "&")
        return try await send(
            .post,
            path,
            headers: [.contentType: "application/x-www-form-urlencoded"],
            body: Array(text.utf8)
        )
    }

    /// RFC 6749 4.4.
    func exchange(_ client: String, _ secret: String) async throws -> Answer {
        try await form(
            "/oauth/token",
            [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)]
        )
    }
}
