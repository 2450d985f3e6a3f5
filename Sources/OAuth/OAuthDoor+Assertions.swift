import Domain
import Edge
import HTTPTypes
import Logging
import Outbound
import Storage
import Transparency

// private_key_jwt (RFC 7523 2.2). The order is from cheap to dear, and nothing is fetched or written for what anybody
// could have made up: form, client, audience, time, signature, and only then the once of its id.
extension OAuthDoor {
    /// Keys of a URL are fetched again after this.
    static let keysLifetime = Duration.seconds(3600)
    /// Where nothing can be fetched, keys of before are good for so long.
    static let keysGrace = Duration.seconds(86_400)
    private static let keyLimits = OutboundLimits(
        total: .seconds(5),
        connect: .seconds(2),
        idle: .seconds(3),
        responseBodyBytes: ClientKeys.mostBytes
    )

    /// The client that signed the form's assertion; nil where there is none.
    func asserted(_ form: TokenForm, _ context: EdgeContext) async throws -> ClientFacts? {
        guard let text = form["client_assertion"] else {
            guard form["client_assertion_type"] == nil else {
                throw OAuthError(.invalidRequest, "client_assertion is missing.")
            }
            return nil
        }
        guard form["client_assertion_type"] == ClientAssertion.type else {
            throw OAuthError(.invalidRequest, "client_assertion_type is missing, or not known.")
        }
        guard form.authorization == nil, form["client_secret"] == nil else {
            throw OAuthError(.invalidRequest, "The client authenticates in more than one way.")
        }
        guard let assertion = ClientAssertion(text),
            form["client_id"] ?? assertion.client.description
                == assertion.client.description, let client = try await store.client(assertion.client)
        else { throw OAuthError.wrongAssertion }
        let isForUs = assertion.isFor([issuer, issuer + "/oauth/token"]) && assertion.isTimely(at: client.checkedAt)
        let isProved = isForUs ? try await isSigned(assertion, by: client) : false
        guard isProved else {
            // Not an entry each: who knows a client's id could fill the log.
            tallies.count(AccessRefusal.wrongSecret.rawValue, of: .grant(client.grant), in: client.organization)
            throw OAuthError.wrongAssertion
        }
        let use = AssertionUse(assertion, of: client, by: client.attribution(context))
        do {
            try await store.perform(use, in: client.organization)
        } catch AccessRefusal.assertionReplayed {
            throw OAuthError.wrongAssertion
        }
        return client
    }

    private func isSigned(_ assertion: ClientAssertion, by client: ClientFacts) async throws -> Bool {
        guard let registered = client.keys else { return false }
        // Keys that cannot be read any more are none.
        var keys = registered.keys.flatMap { try? ClientKeys($0) }
        if let url = registered.url {
            let fetchedAt = registered.fetchedAt ?? Timestamp(microseconds: 0)
            let isFresh = fetchedAt > client.checkedAt - Self.keysLifetime
            let isKnown = keys.map { keys in assertion.keyName.map(keys.names.contains) ?? true } ?? false
            if fetchedAt <= client.checkedAt - Self.keysGrace { keys = nil }
            if !isFresh || !isKnown, let fetched = try await fetchedKeys(of: client, from: url) { keys = fetched }
        }
        guard let keys else { return false }
        return await assertion.isSigned(by: keys)
    }

    /// nil where it is not our turn, or nothing that can be used came.
    private func fetchedKeys(of client: ClientFacts, from url: String) async throws -> ClientKeys? {
        guard try await store.perform(ClientKeysTurn(of: client.grant), in: client.organization) else { return nil }
        let request = OutboundRequest(
            url: url,
            headers: [.accept: "application/jwk-set+json, application/json"],
            limits: Self.keyLimits
        )
        do {
            let response = try await outbound.send(request)
            guard response.status == .ok, let set = try JSON.parse(response.body).object else { return nil }
            let keys = try ClientKeys(set)
            try await store.perform(ClientKeysFetch(of: client.grant, from: url, keys), in: client.organization)
            return keys
        } catch let error where error is OutboundError || error is JSON.ParseError || error is ClientKeysRefusal {
            store.logger.info(
                "keys of a client were not fetched",
                metadata: ["grant": "\(client.grant)", "error": "\(error)"]
            )
            return nil
        }
    }
}

extension OAuthError {
    /// The same whatever is wrong with it.
    fileprivate static let wrongAssertion = OAuthError(.invalidClient, "The client assertion is not accepted.")
}
