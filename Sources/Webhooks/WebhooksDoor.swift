// Webhooks: the door through which HR systems come in: `POST /hooks/{source}`, and `GET` for challenges. It judges the raw
// bytes (Domain's SignatureVerifier by the source's profile), has the delivery committed with its audit entry (Storage),
// and answers. Nothing is parsed here but handshakes: events are made of a delivery when it is claimed (Provisioning).
//
// Invariants:
// - A success is answered only after the delivery is committed, or was committed before; or where nothing was said.
// - 401 is answered only when keys are loaded and the proof does not fit; 404 only after the database said so; 410 and 403
//   only because an admin wants it so; whatever is our fault is 503 with Retry-After, because many senders never come
//   again after a 4xx.
// - No answer waits for the database longer than `mostWait`, which is well within what the strictest sender waits for us.
// - A refused request waits for nothing and nobody: what is kept of it is written by others (RejectedQueue).
// - No source and no client network has more than its share in hand.

package import Domain
package import Edge
import HTTPTypes
package import Hummingbird
import Logging
import Metrics
import NIOCore
package import ServiceLifecycle
package import Storage
import Transparency

/// The accept leg.
package struct WebhooksDoor: Sendable {
    let store: Store
    let tallies: RefusalTallies
    private let hooks: HookCache
    private let acceptances: GroupCommit<DeliveryAcceptance>
    private let rejected: RejectedQueue
    private let signal: WorkSignal
    private let publicURL: String
    private let networks: HookCrowd<NetworkRange?>
    private let sources = HookCrowd<SourceID>(most: mostOfSource)
    private let uses = KeyUses()
    private let repetitions: Repetitions
    private let lateness: HookLateness
    private let mostWait: Duration
    let captures: GroupCommit<PendingKeyCapture>

    /// Bytes of one delivery's body at most.
    package static let mostBodyBytes = HookRequest.mostBodyBytes
    /// What a sender is told to wait after a fault of ours.
    package static let retryAfterSeconds = 5
    /// Requests of one client network (a /24, a /48) in hand at once, from their header on: a slow sender's too. Those
    /// whose address is unknown are one network.
    package static let mostOfNetwork = 512
    /// Requests of one source that are judged or being committed at once, their body read: no more than one commit
    /// takes, so that nobody waits behind more than one commit of another source.
    package static let mostOfSource = GroupCommit<DeliveryAcceptance>.mostPerCommit
    /// How long the answer to one request may wait for the database, look-up and commit together. The strictest sender
    /// waits for 3 seconds, network included. What is committed after it was answered 503 is met again by its repetition.
    package static let mostWait = Duration.seconds(2)

    /// Deliveries of one organization share commits through `acceptances`; `signal` wakes the engine once one is committed.
    /// Requests that may hold under a corrected key go to `rejected`. A source whose profile is not among `profiles` is
    /// answered as a fault of ours. `publicURL` is how senders know us, for proofs that cover the URL. Only a test has
    /// reason for another `mostOfNetwork` or `mostWait`.
    package init(
        store: Store,
        acceptances: GroupCommit<DeliveryAcceptance>,
        rejected: RejectedQueue,
        tallies: RefusalTallies,
        signal: WorkSignal,
        profiles: [String: SigningProfile],
        publicURL: String,
        mostOfNetwork: Int = WebhooksDoor.mostOfNetwork,
        mostWait: Duration = WebhooksDoor.mostWait
    ) {
        self.store = store
        self.acceptances = acceptances
        self.rejected = rejected
        self.tallies = tallies
        self.signal = signal
        self.publicURL = publicURL
        self.mostWait = mostWait
        networks = HookCrowd(most: mostOfNetwork)
        hooks = HookCache(store: store, profiles: profiles, patience: mostWait / 2)
        captures = GroupCommit(store, name: "pending-key", commits: 1)
        repetitions = Repetitions(store)
        lateness = HookLateness(strictest: profiles.values.map(\.response.ackBudget).min(), logger: store.logger)
    }

    /// What has to run while the door is open.
    package var services: [any Service] { [hooks, captures, repetitions] }

    /// Routes `POST /hooks/{source}` and, for challenges, `GET`.
    package func mount(on router: Router<EdgeContext>) {
        router.post("/hooks/{source}") { request, context in
            let began = ContinuousClock.now
            let response = try await answer(request, context, receive)
            Timer(label: MetricName.acknowledgementSeconds)
                .recordNanoseconds((ContinuousClock.now - began).wholeMicroseconds * 1000)
            return response
        }
        router.get("/hooks/{source}") { request, context in
            try await answer(request, context) { request, hook, _, _ in try challenged(request, at: hook) }
        }
    }

    /// Finds the source of the path and asks what its admin said of it, before anything is read of the body. `body` is told
    /// how long that took.
    private func answer(
        _ request: Request,
        _ context: EdgeContext,
        _ body: (Request, CachedHook, Duration, EdgeContext) async throws -> Response
    ) async throws -> Response {
        guard let id = context.parameters.get("source").flatMap(SourceID.init) else { throw EdgeError.notFound }
        do {
            return try await networks.admit(ClientNetwork.of(context.client)) {
                let (found, spent) = try await lookedUp(id, by: context)
                guard let hook = found else {
                    count("unknown", "unknown-source")
                    throw EdgeError.notFound
                }
                if hook.status == .disabled { return refused("disabled", with: .disabled, by: hook, context) }
                if let ranges = hook.ipAllowList, !ranges.contains(context.client) {
                    return refused("address-not-allowed", with: .addressNotAllowed, by: hook, context)
                }
                return try await body(request, hook, spent, context)
            }
        } catch let error where error is EdgeError || error is RequestBodyFault {
            throw error
        } catch is Crowded {
            count("unknown", "crowded")
            throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds)
        } catch {
            // Whatever went wrong, the sender has to come again: this door has no 500.
            context.logger.error("Delivery not accepted", metadata: ["error": .string(String(reflecting: error))])
            throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds)
        }
    }

    private func lookedUp(_ id: SourceID, by context: EdgeContext) async throws -> (CachedHook?, Duration) {
        let began = ContinuousClock.now
        do {
            let hook = try await hooks.hook(id, from: ClientNetwork.of(context.client))
            return (hook, ContinuousClock.now - began)
        } catch {
            lateness.note(ContinuousClock.now - began, of: nil)
            throw error
        }
    }

    /// `spent`: of the time that there is to wait for the database.
    private func receive(
        _ request: Request,
        _ hook: CachedHook,
        _ spent: Duration,
        _ context: EdgeContext
    ) async throws -> Response {
        try refuseUnlessReadable(request, hook)
        var buffer = try await request.readBody(mostBytes: Self.mostBodyBytes)
        let read = ContinuousClock.now
        // How long the sender takes for its body is its own affair.
        defer { lateness.note(spent + (ContinuousClock.now - read), of: hook) }
        let received = HookRequest(
            method: request.method.rawValue,
            url: publicURL + (request.head.path ?? request.uri.path),
            headers: request.headers.map { (name: $0.name.canonicalName, value: $0.value) },
            body: buffer.readBytes(length: buffer.readableBytes) ?? []
        )
        let receivedAt = store.clock.now()
        return try await sources.admit(hook.source) {
            try await judge(received, at: receivedAt, by: hook, within: mostWait - spent, context)
        }
    }

    private func judge(
        _ received: HookRequest,
        at receivedAt: Timestamp,
        by hook: CachedHook,
        within patience: Duration,
        _ context: EdgeContext
    ) async throws -> Response {
        let verdict = await SignatureVerifier.verify(
            profile: hook.profile,
            request: received,
            receivedAt: receivedAt,
            keys: hook.keys
        )
        switch verdict {
        case .accepted(let acceptance):
            if let answer = challenged(received, at: hook) { return answer }
            let receipt = try await keep(received, acceptance, of: hook, at: receivedAt, within: patience, context)
            count(hook.slug.description, receipt.isDuplicate ? "duplicate" : "accepted")
            if !receipt.isDuplicate {
                signal.raise()
            } else if !hook.profile.tellsEqualsApart {
                repetitions.note(receipt.delivery, of: hook.slug, in: hook.organization, at: receivedAt)
            }
            return hook.accepted(receipt)
        case .refused(let refusal):
            if let answer = try await shakenHands(received, refusedFor: refusal, at: hook, within: patience, context) {
                return answer
            }
            return try refused(refusal, received, at: receivedAt, by: hook, context)
        }
    }

    /// A type that the sender never sends is not a delivery, whoever signed it.
    private func refuseUnlessReadable(_ request: Request, _ hook: CachedHook) throws {
        guard let type = request.headers[.contentType], hook.profile.accepts(contentType: type) else {
            tallies.count("content-type", of: .source(hook.source), in: hook.organization)
            count(hook.slug.description, "content-type")
            throw EdgeError.unsupportedMediaType(accepted: hook.profile.contentTypes.joined(separator: " or "))
        }
    }

    private func refused(
        _ refusal: Verdict.Refusal,
        _ received: HookRequest,
        at receivedAt: Timestamp,
        by hook: CachedHook,
        _ context: EdgeContext
    ) throws -> Response {
        note(refusal.rawValue, hook, context)
        guard !refusal.isOurs else { throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds) }
        if refusal.isWellFormed {
            var kept = received
            kept.headers = KeptHeaders.digested(received.headers, by: hook.profile, under: store.keyring)
            let request = RejectedRequest(
                id: store.newID(),
                source: hook.source,
                receivedAt: receivedAt,
                reason: refusal,
                keysVersion: hook.keysVersion,
                request: kept,
                origin: context.origin
            )
            // Answered 401 it would be gone for a sender that never comes again after that.
            guard rejected.offer(request, in: hook.organization) != .queueFull else {
                throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds)
            }
        }
        return hook.refused(refusal, context)
    }

    private func refused(
        _ reason: String,
        with problem: Problem,
        by hook: CachedHook,
        _ context: EdgeContext
    ) -> Response {
        note(reason, hook, context)
        return problem.response(requestID: context.requestID)
    }

    private func note(_ reason: String, _ hook: CachedHook, _ context: EdgeContext) {
        count(hook.slug.description, reason)
        tallies.count(reason, of: .source(hook.source), in: hook.organization)
        context.logger.notice("Delivery refused", metadata: ["source": "\(hook.source)", "reason": "\(reason)"])
    }

    private func keep(
        _ received: HookRequest,
        _ acceptance: Verdict.Acceptance,
        of hook: CachedHook,
        at receivedAt: Timestamp,
        within patience: Duration,
        _ context: EdgeContext
    ) async throws -> DeliveryAcceptance.Receipt {
        let headers = KeptHeaders.digested(received.headers, by: hook.profile, under: store.keyring)
        let delivery = DeliveryAcceptance(
            id: store.newID(),
            source: hook.source,
            receivedAt: receivedAt,
            signedAt: acceptance.signedAt,
            deduplication: acceptance.deduplication,
            headers: KeptHeaders.object(headers),
            body: received.body,
            key: acceptance.keyID,
            isBodyProved: acceptance.bodyIsProved,
            notesKeyUse: uses.isToBeNoted(acceptance.keyID, of: hook.source, at: receivedAt),
            request: context.requestID,
            attribution: Attribution(
                actor: .integrationUser(hook.user),
                origin: context.origin,
                receivedAt: receivedAt
            )
        )
        return try await acceptances.perform(delivery, in: hook.organization, within: patience)
    }

    func count(_ source: String, _ verdict: String) {
        Counter(label: MetricName.deliveries, dimensions: [("source", source), ("verdict", verdict)]).increment()
    }
}
