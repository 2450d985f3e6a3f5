import App
import Domain
import HTTPTypes
import Outbound
import Transparency

/// What the command line asks of an authorization server, as the built-in client.
struct TokenRequests {
    private let outbound = OutboundClient(policy: .operatorChosen)

    /// What a token endpoint gave.
    struct Tokens {
        let access: String
        let refresh: String
        let lifetime: Duration
    }

    /// What a server says of itself (RFC 8414). Refused where it is another's than `base`.
    func metadata(of base: String) async throws(CommandFailure) -> JSON {
        let body = try await read(OutboundRequest(url: base + "/.well-known/oauth-authorization-server"))
        guard body["issuer"]?.string == base else {
            throw CommandFailure(
                .usage,
                "\(base) calls itself \(body["issuer"]?.string ?? "nothing"): use that as --url"
            )
        }
        return body
    }

    func tokens(at endpoint: String, _ form: [(String, String)]) async throws(CommandFailure) -> Tokens {
        let body = try await read(post(endpoint, form))
        guard let access = body["access_token"]?.string, let refresh = body["refresh_token"]?.string,
            body["token_type"]?.string?.lowercased() == "bearer", let seconds = body["expires_in"]?.int64
        else { throw CommandFailure(.failure, "\(endpoint) answered without tokens") }
        return Tokens(access: access, refresh: refresh, lifetime: .seconds(seconds))
    }

    /// Ends a refresh token, and all that came of it (RFC 7009).
    func revoke(_ token: String, at endpoint: String) async throws(CommandFailure) {
        _ = try await send(post(endpoint, [("token", token), ("token_type_hint", "refresh_token")]))
    }

    /// As whom one signed in.
    func userInfo(at endpoint: String, access: String) async throws(CommandFailure) -> JSON {
        try await read(OutboundRequest(url: endpoint, headers: [.authorization: "Bearer " + access]))
    }

    private func post(_ endpoint: String, _ form: [(String, String)]) -> OutboundRequest {
        let members = form + [("client_id", CommandLineClient.name)]
        let text = members.map { $0.0 + "=" + URLText.escaped($0.1) }.joined(separator: "&")
        return OutboundRequest(
            method: .post,
            url: endpoint,
            headers: [.contentType: "application/x-www-form-urlencoded", .accept: "application/json"],
            body: Array(text.utf8)
        )
    }

    private func read(_ request: OutboundRequest) async throws(CommandFailure) -> JSON {
        let response = try await send(request)
        do throws(JSON.ParseError) {
            return try JSON.parse(response.body)
        } catch {
            throw CommandFailure(.failure, "\(request.url) does not answer in JSON; is --url right?")
        }
    }

    private func send(_ request: OutboundRequest) async throws(CommandFailure) -> OutboundResponse {
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await outbound.send(request)
        } catch {
            throw CommandFailure(error)
        }
        guard response.status.kind == .successful else { throw CommandFailure(response) }
        return response
    }
}

extension StoredSignIns {
    /// An access token that is good for a while yet, refreshed where it is not. A sign-in that was ended is forgotten.
    func accessToken(at url: String) async throws(CommandFailure) -> String {
        // Enough for one request on its way.
        let soon = SystemClock().now() + .seconds(30)
        if let known = try at(url), known.expiresAt > soon { return known.access }
        var token: String?
        var over: CommandFailure?
        try await change(at: url) { (known: StoredSignIn?) async throws(CommandFailure) -> StoredSignIn? in
            guard var signIn = known else { return nil }
            if signIn.expiresAt <= soon {
                do throws(CommandFailure) {
                    let made = try await TokenRequests().tokens(
                        at: signIn.tokenEndpoint,
                        [("grant_type", "refresh_token"), ("refresh_token", signIn.refresh)]
                    )
                    signIn.access = made.access
                    signIn.refresh = made.refresh
                    signIn.expiresAt = SystemClock().now() + made.lifetime
                } catch {
                    guard error.status != .remoteUnavailable else { throw error }
                    over = error
                    return nil
                }
            }
            token = signIn.access
            return signIn
        }
        guard let token else {
            let why = over.map { " (\($0.message))" } ?? ""
            throw CommandFailure(.signInNeeded, "the sign-in at \(url) is over\(why): rollcall login --url \(url)")
        }
        return token
    }
}
