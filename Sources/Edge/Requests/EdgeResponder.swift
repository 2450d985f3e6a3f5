package import Domain
import HTTPTypes
package import Hummingbird
import Logging
import Metrics

/// Through here goes every request, once: it is given its id, trace and client address, and it leaves with an answer
/// whatever happened, counted and with the fields that every answer carries.
package struct EdgeResponder<Base: HTTPResponder<EdgeContext>>: HTTPResponder {
    package typealias Context = Arrival

    private let base: Base
    private let surroundings: EdgeSurroundings

    /// `base` is the router of all doors.
    package init(_ base: Base, surroundings: EdgeSurroundings) {
        self.base = base
        self.surroundings = surroundings
    }

    /// Never throws: every error is an answer.
    package func respond(to request: Request, context arrival: Arrival) async throws -> Response {
        let began = ContinuousClock.now
        let context = surroundings.context(of: request, arrival)
        var response: Response
        do {
            response = try await base.respond(to: routed(request), context: context)
        } catch {
            response = surroundings.answer(to: error, at: request.uri.path, context)
        }
        decorate(&response, for: request, context)
        count(response, context, took: ContinuousClock.now - began)
        return response
    }

    /// The router knows only methods that somebody named: one that it has never heard of is to it one that no route takes.
    /// Forward-auth checks take any.
    private func routed(_ request: Request) -> Request {
        guard !Router<EdgeContext>.closed.contains(request.method), !request.uri.path.hasPrefix("/authz/") else {
            return request
        }
        var head = request.head
        head.method = .trace
        return Request(head: head, body: request.body)
    }

    private func decorate(_ response: inout Response, for request: Request, _ context: EdgeContext) {
        response.headers[.requestID] = context.requestID.description
        response.headers[.xContentTypeOptions] = "nosniff"
        if !response.headers.contains(.cacheControl) { response.headers[.cacheControl] = "no-store" }
        if !response.headers.contains(.referrerPolicy) { response.headers[.referrerPolicy] = "no-referrer" }
        if surroundings.isPublicURLSecure { response.headers[.strictTransportSecurity] = "max-age=31536000" }
        surroundings.nameMetadata(in: &response, for: request)
        if request.method == .head, response.status.code >= 400 { response = response.createHeadResponse() }
    }

    private func count(_ response: Response, _ context: EdgeContext, took: Duration) {
        let door = Self.door(of: context.endpointPath)
        Counter(
            label: MetricName.httpRequests,
            dimensions: [("door", door), ("status", String(response.status.code))]
        ).increment()
        Metrics.Timer(label: MetricName.httpRequestSeconds, dimensions: [("door", door)])
            .recordNanoseconds(Int64(clamping: took.wholeNanoseconds))
    }

    /// The first word of the route, not of the path: a client cannot make up new ones.
    private static func door(of route: String?) -> String {
        guard let route, route.first == "/" else { return "none" }
        return String(route.dropFirst().prefix { $0 != "/" })
    }
}

/// What requests are surrounded by: injected time and randomness, trust in proxies, and how faults are read.
package struct EdgeSurroundings: Sendable {
    package var clock: any WallClock
    package var randomness: any Randomness
    package var proxies: ProxyTrust
    package var faults: FaultReader
    /// Whether outsiders reach us over TLS only, here or at a proxy.
    package var isPublicURLSecure: Bool { publicURL?.hasPrefix("https:") ?? false }
    /// How outsiders know us; nil in tests that do not ask.
    package var publicURL: String?
    /// Of protocols that do not say no by problems.
    package var errorForms: [ErrorForm]

    package init(
        clock: any WallClock,
        randomness: any Randomness,
        proxies: ProxyTrust = ProxyTrust(),
        faults: FaultReader = FaultReader(),
        publicURL: String? = nil,
        errorForms: [ErrorForm] = []
    ) {
        self.clock = clock
        self.randomness = randomness
        self.proxies = proxies
        self.faults = faults
        self.publicURL = publicURL
        self.errorForms = errorForms
    }

    func context(of request: Request, _ arrival: Arrival) -> EdgeContext {
        let now = clock.now()
        let id = RequestID.make(at: now, using: randomness)
        let trace = TraceContext(traceparents: request.headers[values: .traceparent], randomness: randomness)
        var logger = arrival.logger
        logger[metadataKey: "hb.request.id"] = nil
        logger[metadataKey: "request_id"] = .string(id.description)
        logger[metadataKey: "trace_id"] = .string(trace.traceID)
        return EdgeContext(
            source: RequestFacts(
                logger: logger,
                requestID: id,
                trace: trace,
                peer: arrival.peer,
                client: proxies.client(peer: arrival.peer, fields: request.headers),
                receivedAt: now,
                userAgent: request.headers[.userAgent]
            )
        )
    }

    /// Where a client that is asked for a token finds out who gives it one (RFC 9728 5.1). Not from a forward-auth check: the
    /// resource there is the API behind the proxy, which says so itself.
    func nameMetadata(in response: inout Response, for request: Request) {
        guard response.status == .unauthorized, let publicURL, let challenge = response.headers[.wwwAuthenticate],
            challenge.hasPrefix("Bearer"), !request.uri.path.hasPrefix("/authz/")
        else { return }
        let path = request.uri.path.hasPrefix("/v1/") ? "/v1" : ""
        let metadata = "resource_metadata=\"\(publicURL)/.well-known/oauth-protected-resource\(path)\""
        response.headers[.wwwAuthenticate] = challenge + (challenge == "Bearer" ? " " : ", ") + metadata
    }

    /// The one place where an error becomes an answer. A fault of ours is logged here and nowhere else.
    func answer(to error: any Error, at path: String, _ context: EdgeContext) -> Response {
        let error = (error as? UnforeseenError)?.cause ?? error
        let form = errorForms.first { $0.paths.contains(path) }
        guard let refusal = faults.refusal(of: error) else {
            context.logger.error("Request failed", metadata: ["error": .string(String(reflecting: error))])
            return form?.response(nil) ?? Problem.internalError.response(requestID: context.requestID)
        }
        if case .unavailable = refusal {
            context.logger.warning(
                "Request could not be served",
                metadata: ["error": .string(String(reflecting: error))]
            )
        }
        return form?.response(refusal) ?? Problem(refusal).response(requestID: context.requestID)
    }
}
