import HTTPTypes
import Outbound
import Transparency

/// Speaks to `/v1` of one server as the bearer of one token, or as whoever signed in there.
struct APIClient: Sendable {
    /// An answer, and the version that an update has to name.
    struct Answer {
        let body: JSON
        let entityTag: String?
    }

    private let base: String
    private let credential: Credential
    private let outbound = OutboundClient(policy: .operatorChosen)

    /// How a request says who calls.
    enum Credential {
        case token(String)
        /// Refreshed where it has to be.
        case signIn(StoredSignIns)
    }

    init(base: String, token: String) { self.init(base: base, .token(token)) }

    init(base: String, _ credential: Credential) {
        self.base = ConnectionOptions.plain(base)
        self.credential = credential
    }

    private func authorization() async throws(CommandFailure) -> String {
        switch credential {
        case .token(let token): "Bearer " + token
        case .signIn(let store): "Bearer " + (try await store.accessToken(at: base))
        }
    }

    func get(_ path: String, query: [(String, String?)] = []) async throws(CommandFailure) -> Answer {
        try await send(.get, path, query: query)
    }

    func post(
        _ path: String,
        _ body: JSON? = nil,
        idempotencyKey: String? = nil
    ) async throws(CommandFailure) -> Answer {
        var headers = HTTPFields()
        if let idempotencyKey, let name = HTTPField.Name("Idempotency-Key") { headers[name] = idempotencyKey }
        return try await send(.post, path, headers: headers, body: body)
    }

    func delete(_ path: String) async throws(CommandFailure) -> Answer {
        try await send(.delete, path)
    }

    /// Reads the thing first and changes it only as it was read: whoever changed it in between gets a conflict out of
    /// this and not a lost change.
    func patch(_ path: String, _ change: JSON) async throws(CommandFailure) -> Answer {
        let current = try await get(path)
        var headers = HTTPFields()
        headers[.contentType] = "application/merge-patch+json"
        headers[.ifMatch] = current.entityTag
        return try await send(.patch, path, headers: headers, body: change)
    }

    /// The bytes of what is no JSON, as long as `mostBytes` at most.
    func file(_ path: String, mostBytes: Int) async throws(CommandFailure) -> [UInt8] {
        var headers = HTTPFields()
        headers[.authorization] = try await authorization()
        headers[.accept] = "*/*"
        headers[.userAgent] = "rollcall"
        let limits = OutboundLimits(responseBodyBytes: mostBytes)
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await outbound.send(OutboundRequest(url: base + path, headers: headers, limits: limits))
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else { throw CommandFailure(response) }
        return response.body
    }

    /// What is no JSON, of any length: its bytes go to `receive` as they come; false from it ends the exchange. Returns
    /// the answer's header fields. A failure tells whether the answer had begun by what `receive` got.
    func stream(
        _ path: String,
        query: [(String, String?)],
        _ receive: @escaping @Sendable ([UInt8]) async -> Bool
    ) async throws(CommandFailure) -> HTTPFields {
        var headers = HTTPFields()
        headers[.authorization] = try await authorization()
        headers[.accept] = "*/*"
        headers[.userAgent] = "rollcall"
        let written = query.compactMap { name, value in value.map { name + "=" + URLText.escaped($0) } }
        let request = OutboundRequest(
            url: base + path + (written.isEmpty ? "" : "?" + written.joined(separator: "&")),
            headers: headers,
            limits: OutboundLimits(total: Self.longestStream, idle: Self.longestPause)
        )
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await outbound.send(request, receiving: receive)
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else { throw CommandFailure(response) }
        return response.headers
    }

    private static let longestStream = Duration.seconds(6 * 3600)
    /// A filter that selects little has the server look for long.
    private static let longestPause = Duration.seconds(120)

    private func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        query: [(String, String?)] = [],
        headers: HTTPFields = [:],
        body: JSON? = nil
    ) async throws(CommandFailure) -> Answer {
        var headers = headers
        headers[.authorization] = try await authorization()
        headers[.accept] = "application/json, application/problem+json"
        headers[.userAgent] = "rollcall"
        if body != nil, headers[.contentType] == nil { headers[.contentType] = "application/json" }
        let written = query.compactMap { name, value in value.map { name + "=" + URLText.escaped($0) } }
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await outbound.send(
                OutboundRequest(
                    method: method,
                    url: base + path + (written.isEmpty ? "" : "?" + written.joined(separator: "&")),
                    headers: headers,
                    body: body?.bytes ?? []
                )
            )
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else { throw CommandFailure(response) }
        return Answer(body: try read(response), entityTag: response.headers[.eTag])
    }

    private func read(_ response: OutboundResponse) throws(CommandFailure) -> JSON {
        guard !response.body.isEmpty else { return .null }
        do throws(JSON.ParseError) {
            return try JSON.parse(response.body)
        } catch {
            throw CommandFailure(.failure, "the server's answer is not JSON; is --url right?")
        }
    }
}

enum URLText {
    /// One segment of a path or one value of a query: everything but RFC 3986's unreserved characters is escaped.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            if isPlain || "-._~".unicodeScalars.contains(scalar) {
                escaped.unicodeScalars.append(scalar)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
        return escaped
    }
}
