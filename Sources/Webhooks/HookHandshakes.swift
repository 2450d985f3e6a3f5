import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

// What senders ask before they send. Each is answered as the profile says, as JSON and never as a page, within bounds;
// none makes a delivery, and none changes anything but that a key may wait for an admin.

/// Bounds of handshakes.
enum HandshakeBounds {
    /// Characters of a challenge.
    static let mostChallengeCharacters = 1_024
    /// Bytes of a body that is looked at for a handshake; those that senders send are a few hundred.
    static let mostBodyBytes = 4_096
}

extension WebhooksDoor {
    /// A GET: a challenge in a header, sent back in the body. Nothing proves where it comes from, and nothing follows.
    func challenged(_ request: Request, at hook: CachedHook) throws -> Response {
        for case .echoGet(let header, let member) in hook.profile.handshakes {
            let values = HTTPField.Name(header).map { request.headers[values: $0] } ?? []
            guard !values.isEmpty else { continue }
            guard values.count == 1, let challenge = values.first, Self.isChallenge(challenge) else {
                throw EdgeError.malformed(detail: "The challenge has to stand there once, in visible ASCII.")
            }
            count(hook.slug.description, "handshake")
            return JSON.object([member: .string(challenge)]).response()
        }
        throw EdgeError.methodNotAllowed(allowed: ["OPTIONS", "POST"])
    }

    /// A proved POST that asks for its challenge; nil where it is a delivery.
    func challenged(_ received: HookRequest, at hook: CachedHook) -> Response? {
        for case .echoPost(let condition, let pointer) in hook.profile.handshakes {
            guard let said = Self.shortJSON(received.body), condition.holds(in: said),
                let challenge = said[pointer: pointer]?.string, Self.isChallenge(challenge)
            else { continue }
            count(hook.slug.description, "handshake")
            let member = String(pointer.reversed().prefix { $0 != "/" }.reversed())
            return JSON.object([member: .string(challenge)]).response()
        }
        return nil
    }

    /// A POST without a proof that the profile knows: a ping, which is answered and forgotten, or a key, which then waits
    /// for an admin. nil where it is neither.
    func shakenHands(
        _ received: HookRequest,
        refusedFor refusal: Verdict.Refusal,
        at hook: CachedHook,
        within patience: Duration,
        _ context: EdgeContext
    ) async throws -> Response? {
        guard refusal == .signatureMissing || refusal == .credentialMissing || refusal == .noKey,
            received.body.count <= HandshakeBounds.mostBodyBytes
        else { return nil }
        let said = Self.shortJSON(received.body)
        for handshake in hook.profile.handshakes {
            switch handshake {
            case .acceptPing(let text, let condition):
                // What only fails to be JSON may be an event, and is no ping.
                let isText = text && !SigningProfile.looksLikeJSON(received.body)
                let isPing = said.map { condition?.holds(in: $0) ?? false } ?? isText
                guard isPing, refusal != .noKey else { continue }
                count(hook.slug.description, "ping")
                return hook.success()
            case .captureToken(let pointer):
                guard let token = said?[pointer: pointer]?.string, isKey(token, for: hook.profile) else { continue }
                return try await captured(HiddenText(token), at: hook, within: patience, context)
            case .echoGet, .echoPost:
                continue
            }
        }
        return nil
    }

    private func captured(
        _ token: HiddenText,
        at hook: CachedHook,
        within patience: Duration,
        _ context: EdgeContext
    ) async throws -> Response {
        let capture = PendingKeyCapture(
            of: token,
            from: hook.source,
            by: Attribution(actor: .system("doors"), origin: context.origin, receivedAt: context.receivedAt)
        )
        let output = try await captures.perform(capture, in: hook.organization, within: patience)
        count(hook.slug.description, "handshake")
        guard output != .noRoom else {
            tallies.count("handshake-no-room", of: .source(hook.source), in: hook.organization)
            throw EdgeError.unavailable(retryAfterSeconds: Self.retryAfterSeconds)
        }
        return hook.success()
    }

    private func isKey(_ token: String, for profile: SigningProfile) -> Bool {
        // A text that is no key of this profile is no handshake either.
        (try? SigningKey(secret: token, forms: profile.secretForms)) != nil
    }

    private static func isChallenge(_ text: String) -> Bool {
        (1...HandshakeBounds.mostChallengeCharacters).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func shortJSON(_ body: [UInt8]) -> JSON? {
        guard body.count <= HandshakeBounds.mostBodyBytes else { return nil }
        // What is not JSON is none of the handshakes that are made in JSON.
        return try? JSON.parse(body)
    }
}
