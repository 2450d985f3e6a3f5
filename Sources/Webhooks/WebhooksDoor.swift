// Webhooks: the door through which HR systems come in: `POST /hooks/{source}`. It judges the raw bytes (Domain's
// SignatureVerifier by the source's profile), has the delivery committed with its audit entry (Storage), and answers.
// Nothing is parsed here: events are made of a delivery when it is claimed (Provisioning).
//
// Invariants:
// - A success is answered only after the delivery is committed, or was committed before.
// - 401 is answered only when keys are loaded and the proof does not fit; 404 only after the database said so; whatever
//   is our fault is 503 with Retry-After, because many senders never come again after a 4xx.

package import Domain
package import Edge
package import Hummingbird
import Logging
import Metrics
import NIOCore
package import Storage
import Transparency

/// The accept leg.
package struct WebhooksDoor: Sendable {
    private let store: Store
    private let hooks: HookCache
    private let acceptances: GroupCommit<DeliveryAcceptance>
    private let tallies: RefusalTallies
    private let signal: WorkSignal
    private let profiles: [String: SigningProfile]
    private let publicURL: String

    /// Bytes of one delivery's body at most.
    package static let mostBodyBytes = 1024 * 1024
    /// What a sender is told to wait after a fault of ours.
    package static let retryAfterSeconds = 5

    /// Deliveries of one organization share commits through `acceptances`; `signal` wakes the engine once one is committed.
    /// A source whose profile is not among `profiles` is answered as a fault of ours. `publicURL` is how senders see this
    /// service, since some sign the URL that they posted to; without a slash at its end.
    package init(
        store: Store,
        acceptances: GroupCommit<DeliveryAcceptance>,
        tallies: RefusalTallies,
        signal: WorkSignal,
        profiles: [String: SigningProfile],
        publicURL: String
    ) {
        self.store = store
        self.acceptances = acceptances
        self.tallies = tallies
        self.signal = signal
        self.profiles = profiles
        self.publicURL = publicURL
        hooks = HookCache(store: store, profiles: profiles)
    }

    /// Routes `POST /hooks/{source}`.
    package func mount(on router: Router<EdgeContext>) {
        router.post("/hooks/{source}") { request, context in
            let began = ContinuousClock.now
            do {
                let response = try await receive(request, context)
                Timer(label: MetricName.acknowledgementSeconds)
                    .recordNanoseconds((ContinuousClock.now - began).wholeMicroseconds * 1000)
                return response
            } catch let error where error is EdgeError || error is RequestBodyFault {
                throw error
            } catch {
                // Whatever went wrong, the sender has to come again: this door has no 500.
                context.logger.error("Delivery not accepted", metadata: ["error": .string(String(reflecting: error))])
                throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds)
            }
        }
    }

    private func receive(_ request: Request, _ context: EdgeContext) async throws -> Response {
        guard let id = context.parameters.get("source").flatMap(SourceID.init) else { throw EdgeError.notFound }
        var buffer = try await request.readBody(mostBytes: Self.mostBodyBytes)
        let body = buffer.readBytes(length: buffer.readableBytes) ?? []
        let receivedAt = store.clock.now()
        guard let hook = try await hooks.hook(id) else {
            count("unknown", "unknown-source")
            throw EdgeError.notFound
        }
        try refuseUnlessAccepted(request, hook)
        guard hook.isActive else { throw EdgeError.unavailable(retryAfterSeconds: 300) }
        let headers = request.headers.map { (name: $0.name.canonicalName, value: $0.value) }
        let verdict = await SignatureVerifier.verify(
            profile: hook.profile,
            request: HookRequest(
                method: request.method.rawValue,
                url: publicURL + (request.head.path ?? ""),
                headers: headers,
                body: body
            ),
            receivedAt: receivedAt,
            keys: hook.keys
        )
        switch verdict {
        case .refused(let refusal): return try refused(refusal, by: hook, context)
        case .accepted(let acceptance):
            let receipt = try await keep(body, headers, acceptance, of: hook, at: receivedAt, context)
            count(hook.slug.description, receipt.isDuplicate ? "duplicate" : "accepted")
            if !receipt.isDuplicate { signal.raise() }
            let answer: JSON = ["delivery": .string(receipt.delivery.description)]
            return answer.response(status: .init(code: hook.profile.response.success))
        }
    }

    /// A page is not a delivery, whoever signed it, nor is anything else that the sender does not send.
    private func refuseUnlessAccepted(_ request: Request, _ hook: CachedHook) throws {
        guard let type = request.headers[.contentType], hook.profile.accepts(contentType: type) else {
            tallies.count("content-type", of: .source(hook.source), in: hook.organization)
            count(hook.slug.description, "content-type")
            throw EdgeError.unsupportedMediaType(accepted: hook.profile.contentTypes.joined(separator: ", "))
        }
    }

    private func refused(_ refusal: Verdict.Refusal, by hook: CachedHook, _ context: EdgeContext) throws -> Response {
        count(hook.slug.description, refusal.rawValue)
        tallies.count(refusal.rawValue, of: .source(hook.source), in: hook.organization)
        context.logger.notice(
            "Delivery refused",
            metadata: ["source": "\(hook.source)", "reason": "\(refusal.rawValue)"]
        )
        guard !refusal.isOurs else { throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds) }
        var problem = Problem(
            .init(code: hook.profile.response.reject),
            "signature-refused",
            "The proof of this delivery is not accepted"
        )
        problem.more = [("reason", .string(refusal.rawValue))]
        return problem.response(requestID: context.requestID)
    }

    private func keep(
        _ body: [UInt8],
        _ headers: [(name: String, value: String)],
        _ acceptance: Verdict.Acceptance,
        of hook: CachedHook,
        at receivedAt: Timestamp,
        _ context: EdgeContext
    ) async throws -> DeliveryAcceptance.Receipt {
        let delivery = DeliveryAcceptance(
            id: store.newID(),
            source: hook.source,
            receivedAt: receivedAt,
            signedAt: acceptance.signedAt,
            deduplication: acceptance.deduplication,
            headers: kept(headers, by: hook.profile),
            body: body,
            key: acceptance.keyID,
            request: context.requestID,
            attribution: Attribution(
                actor: .integrationUser(hook.user),
                origin: context.origin,
                receivedAt: receivedAt
            )
        )
        return try await acceptances.perform(delivery, in: hook.organization)
    }

    /// The headers as they are kept: every value of a repeated one, credentials as keyed digests.
    private func kept(_ headers: [(name: String, value: String)], by profile: SigningProfile) -> JSON.Object {
        var kept: JSON.Object = [:]
        for (name, value) in headers {
            let text = JSON.string(profile.isCredential(header: name) ? store.keyring.headerDigest(of: value) : value)
            kept[name] = .array((kept[name]?.array ?? []) + [text])
        }
        return kept
    }

    private func count(_ source: String, _ verdict: String) {
        Counter(label: MetricName.deliveries, dimensions: [("source", source), ("verdict", verdict)]).increment()
    }
}
