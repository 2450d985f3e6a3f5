import Domain
import Edge
import Storage

extension OAuthDoor {
    /// The client whose secret was presented, or which signed an assertion. What is wrong with its terms is not judged
    /// here.
    func authenticate(_ form: TokenForm, _ context: EdgeContext) async throws -> ClientFacts {
        if let asserted = try await asserted(form, context) { return asserted }
        guard let presented = try PresentedClient(form) else {
            throw OAuthError(.invalidClient, "The client did not say who it is: client id and secret are needed.")
        }
        let known = try await store.client(presented.grant)
        let secret = store.secret(presented.secret, of: known)
        guard var client = known, let secret else {
            if let known {
                // Not an entry each: who knows a client's id could fill the log.
                tallies.count(AccessRefusal.wrongSecret.rawValue, of: .grant(presented.grant), in: known.organization)
            }
            throw OAuthError.wrongClient(usedBasic: presented.usedBasic)
        }
        client.presented = secret
        return client
    }

    /// Commits the entry of a refusal before it is answered.
    func record(
        _ action: ActionCode,
        refused reason: AccessRefusal,
        of client: ClientFacts,
        _ context: EdgeContext
    ) async throws {
        let draft = AuditDraft(
            action,
            .grant(client.grant),
            outcome: .refused,
            reason: reason.rawValue,
            person: client.person
        )
        let observation = Observation(draft, by: client.attribution(context))
        _ = try await observations.perform(observation, in: client.organization)
    }
}

extension AppView {
    /// Who of the callers it is, as far as limits go.
    var limited: IDBits { IDBits(high: id.high, low: id.low) }
}

extension ClientFacts {
    /// As ``Domain/Caller/limited``, so that a client has one limit however it comes.
    var limited: IDBits { IDBits(high: grant.high, low: grant.low) }

    func attribution(_ context: EdgeContext) -> Attribution {
        Attribution(
            actor: kind == .integration ? .integrationUser(user) : .member(user),
            onBehalfOf: kind == .integration ? [person].compactMap(\.self) : [],
            origin: context.origin,
            receivedAt: context.receivedAt
        )
    }
}
