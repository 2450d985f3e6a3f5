import Domain
package import Edge
import HTTPTypes
package import Hummingbird
import Logging
import Metrics
package import Storage
import Transparency

/// `/authz/check`: what a reverse proxy asks about each request before it lets it through to an API (nginx
/// `auth_request`, forward-auth of Traefik, Caddy and Envoy). Token, scope, client address and the audit entry in one.
///
/// Answers 200, 401, 403 and 503 only: nginx makes 500 of every other status, and a client would take our limits for the
/// API's fault. It is no route: any method and any path below it come here.
package struct ForwardAuth: Sendable {
    private let store: Store
    private let observations: GroupCommit<Observation>
    private let lastUses: LastUses?
    private let credentials: ProxyCredentials
    private let trust: ProxyTrust
    private let limits: CallerLimits
    private let keepsEntries: Bool

    /// Seconds after which a proxy's client may come again when the check could not be made.
    static let retryAfterSeconds = 1

    /// `trust` are the proxies between the client and the one that asks. `keepsEntries` is false in benchmarks alone.
    package init(
        store: Store,
        observations: GroupCommit<Observation>,
        lastUses: LastUses? = nil,
        credentials: ProxyCredentials,
        trust: ProxyTrust,
        limits: CallerLimits,
        keepsEntries: Bool = true
    ) {
        self.store = store
        self.observations = observations
        self.lastUses = lastUses
        self.credentials = credentials
        self.trust = trust
        self.limits = limits
        self.keepsEntries = keepsEntries
    }

    /// After all other doors: every request that no route takes passes here.
    package func mount(on router: Router<EdgeContext>) { router.add(middleware: Middleware(door: self)) }

    private struct Middleware: RouterMiddleware {
        let door: ForwardAuth

        func handle(
            _ request: Request,
            context: EdgeContext,
            next: @concurrent (Request, EdgeContext) async throws -> Response
        ) async throws -> Response {
            guard CheckQuestion.isAsked(by: request) else { return try await next(request, context) }
            context.coreContext.endpointPath.value = CheckQuestion.path
            return await door.answer(request, context)
        }
    }

    /// Never anything but 200, 401, 403 and 503.
    func answer(_ request: Request, _ context: EdgeContext) async -> Response {
        do {
            return try await check(request, context)
        } catch let no as CheckRefusal {
            Counter(label: MetricName.checksRefused, dimensions: [("reason", no.word)]).increment()
            return no.response(context)
        } catch {
            context.logger.warning("A check could not be made", metadata: ["error": .string(String(reflecting: error))])
            return CheckRefusal.unavailable(retryAfterSeconds: Self.retryAfterSeconds).response(context)
        }
    }

    // The order is fixed: is it a proxy, what does it ask, from where came the client, who is it, may it.
    private func check(_ request: Request, _ context: EdgeContext) async throws -> Response {
        let proxy = try proxy(of: request)
        let question = try question(in: request)
        let address = try address(in: request)
        if let wait = limits.refuseCheck(from: address) { throw CheckRefusal.limited(after: wait) }
        let facts = try await facts(of: request, for: proxy)
        let subject = Subject(
            facts: facts,
            question: question,
            proxy: proxy,
            method: request.headers[.forwardedMethod] ?? request.headers[.originalMethod] ?? request.method.rawValue,
            address: address
        )
        if let wait = limits.refuseCheck(of: facts.caller.limited) { throw CheckRefusal.limited(after: wait) }
        let audience = AcceptedAudience.resources(Set([question.audience].compactMap(\.self)))
        if let refusal = facts.refusal(from: address, for: audience) {
            try await record(subject, refused: refusal, context)
            throw refusal == .addressNotAllowed ? CheckRefusal.forbidden(refusal.rawValue) : CheckRefusal.invalidToken
        }
        guard question.scopes.isSubset(of: facts.caller.scopes) else {
            try await record(subject, refused: .scopeMissing, context)
            throw CheckRefusal.insufficientScope(question.scopes)
        }
        lastUses?.touch(facts.caller, at: facts.checkedAt, from: address)
        try await record(subject, refused: nil, context)
        return Response(status: .ok, headers: Self.fields(about: facts.caller, context))
    }

    // MARK: Reading

    private func proxy(of request: Request) throws(CheckRefusal) -> ProxyCredentials.Proxy {
        let presented = request.headers[values: .rollcallProxy]
        guard presented.count == 1, let proxy = credentials.proxy(presenting: presented[0]) else {
            throw .forbidden("proxy")
        }
        return proxy
    }

    private func question(in request: Request) throws(CheckRefusal) -> CheckQuestion {
        do throws(CheckQuestion.Unasked) {
            return try CheckQuestion(request)
        } catch {
            throw .forbidden(error.rawValue)
        }
    }

    /// The client, as the proxy names it. One that is not named, or named twice, is nobody.
    private func address(in request: Request) throws(CheckRefusal) -> IPAddress {
        for name in HTTPField.Name.saidOnce where request.headers[values: name].count > 1 {
            throw .forbidden("address")
        }
        guard request.headers.contains(.xForwardedFor), let client = trust.client(saidBy: request.headers) else {
            throw .forbidden("address")
        }
        return client
    }

    private func facts(of request: Request, for proxy: ProxyCredentials.Proxy) async throws -> TokenFacts {
        let token: OpaqueSecret
        do throws(EdgeError) {
            token = try Authenticator.bearer(in: request.headers)
        } catch {
            throw error == .unauthorized(.missing) ? CheckRefusal.missingToken : CheckRefusal.invalidToken
        }
        guard let facts = try await store.facts(of: token) else { throw CheckRefusal.invalidToken }
        // Another organization's token is to this proxy as if nobody ever got it.
        guard proxy.organization == nil || proxy.organization == facts.caller.organization else {
            throw CheckRefusal.invalidToken
        }
        return facts
    }

    // MARK: Telling

    private struct Subject {
        let facts: TokenFacts
        let question: CheckQuestion
        let proxy: ProxyCredentials.Proxy
        let method: String
        let address: IPAddress
    }

    /// One entry a check, committed before the answer.
    private func record(_ subject: Subject, refused: AccessRefusal?, _ context: EdgeContext) async throws {
        guard keepsEntries else { return }
        let caller = subject.facts.caller
        var origin = context.origin
        origin.address = subject.address
        let draft = AuditDraft(
            .accessChecked,
            .token(caller.credential.token),
            outcome: refused == nil ? .done : .refused,
            reason: refused?.rawValue,
            authority: subject.question.scopes.scopes.first.map(Authority.scope),
            after: [
                "action": .string(subject.question.action.description),
                "scope": .string(subject.question.scopes.joined),
                "proxy": .string(subject.proxy.name.description),
                "method": .string(String(subject.method.prefix(Self.mostMethodCharacters))),
            ],
            person: caller.person
        )
        let attribution = Attribution(caller: caller, origin: origin, receivedAt: context.receivedAt)
        _ = try await observations.perform(Observation(draft, by: attribution), in: caller.organization)
    }

    private static let mostMethodCharacters = 16

    /// For the API behind. What does not apply is left out, and the proxy has to strip what the client sent of it.
    private static func fields(about caller: Caller, _ context: EdgeContext) -> HTTPFields {
        var fields: HTTPFields = [
            .rollcallOrganization: caller.organization.description,
            .rollcallUser: caller.user.description,
            .rollcallScopes: caller.scopes.joined,
            .rollcallRequestID: context.requestID.description,
        ]
        fields[.rollcallIntegration] = caller.integration?.description
        fields[.rollcallPerson] = caller.person?.description
        fields[.rollcallGrant] = caller.grant?.description
        return fields
    }
}
