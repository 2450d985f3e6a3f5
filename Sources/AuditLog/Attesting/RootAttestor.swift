import Domain
import HTTPTypes
import Logging
import Metrics
package import Outbound
package import Storage
package import Transparency

/// Has others vouch for the root log's checkpoints: witnesses cosign them (C2SP tlog-witness), an authority stamps them with a
/// time (RFC 3161). What they say is kept once it was verified. Nothing waits for it: a checkpoint is published before, and
/// an attester that hangs, refuses or lies keeps no other from its work.
package struct RootAttestor: Sendable {
    private let store: Store
    private let outbound: OutboundClient
    private let attesters: Attesters

    /// Between two checkpoints that are cosigned, and that are stamped. While there is nothing new, the next look is as soon as
    /// a witness'.
    package static let witnessInterval = Duration.seconds(10)
    package static let timestampInterval = Duration.seconds(600)
    /// After failures in a row the pause doubles, up to this.
    package static let longestPause = Duration.seconds(3600)
    /// An attester's clock that differs by more is not believed.
    package static let mostSkew = Duration.seconds(3600)
    /// What one exchange may cost.
    package static let limits = OutboundLimits(total: .seconds(15), responseBodyBytes: WitnessRequest.largestAnswer)
    /// A witness may name another size than we thought so often before it is left alone for this time.
    private static let mostSizes = 3

    /// `outbound` has to be for URLs that the operator chose.
    package init(store: Store, outbound: OutboundClient, attesters: Attesters) {
        (self.store, self.outbound, self.attesters) = (store, outbound, attesters)
    }

    /// Each attester on its own, until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for witness in attesters.witnesses {
                group.addTask {
                    await again(every: Self.witnessInterval, witness.key.name.text) { try await cosign(by: witness) }
                }
            }
            for authority in attesters.authorities {
                group.addTask {
                    await again(every: Self.timestampInterval, authority.name) { try await stamp(by: authority) }
                }
            }
        }
    }

    /// How long to wait after so many failures in a row.
    static func pause(after failures: Int, interval: Duration) -> Duration {
        min(longestPause, interval * (1 << min(failures, 12)))
    }

    private func again(every interval: Duration, _ name: String, _ body: () async throws -> Bool) async {
        var failures = 0
        while !Task.isCancelled {
            var isIdle = false
            do {
                isIdle = try await !body()
                if !isIdle { count("kept") }
                failures = 0
            } catch {
                if Task.isCancelled { return }
                failures += 1
                count("failed")
                let alarming = (error as? AttestationFault)?.isAlarming ?? false
                store.logger.log(
                    level: alarming ? .critical : .warning,
                    "Nobody vouched for a checkpoint of the root log; it is asked for again",
                    metadata: ["attester": "\(name)", "error": "\(error)", "failures": "\(failures)"]
                )
            }
            // Cancelled while pausing: the loop sees it.
            try? await Task.sleep(
                for: isIdle ? min(interval, Self.witnessInterval) : Self.pause(after: failures, interval: interval)
            )
        }
    }

    private func count(_ outcome: String) {
        Counter(label: "rollcall_root_attestations_total", dimensions: [("outcome", outcome)]).increment()
    }

    /// The checkpoint to be vouched for; nil where this attester has nothing new to see.
    private func next(of kind: String, for attester: String) async throws -> Head? {
        guard let log = try await store.read(as: .root, { try await $0.log() }), let signed = log.signed,
            let publishedAt = log.publishedAt
        else { return nil }
        let known = try await store.attestedSize(of: kind, by: attester)
        return signed.checkpoint.size > known ? Head(signed: signed, publishedAt: publishedAt, known: known) : nil
    }

    private struct Head {
        let signed: SignedCheckpoint
        let publishedAt: Timestamp
        /// What the attester vouched for last.
        let known: Int
    }

    private func refuseSkew(_ seconds: Int) throws(AttestationFault) {
        let (now, then) = (store.clock.now(), Timestamp(seconds: Int64(seconds)))
        guard now < then + Self.mostSkew, then < now + Self.mostSkew else { throw .clock(seconds: seconds) }
    }
}

// MARK: - Witnesses

extension RootAttestor {
    /// Has a witness cosign the newest checkpoint; false where it has.
    func cosign(by witness: Attesters.Witness) async throws -> Bool {
        let name = witness.key.name.text
        guard let head = try await next(of: "cosignature", for: name) else { return false }
        let size = head.signed.checkpoint.size
        var oldSize = head.known
        for _ in 0..<Self.mostSizes {
            let places = oldSize == 0 ? [] : try TilePlan.consistency(from: oldSize, to: size).tiles
            let request = try WitnessRequest(
                oldSize: oldSize,
                signed: head.signed,
                tiles: try await store.tiles(places, of: .root)
            )
            let answer = try await outbound.send(
                OutboundRequest(
                    method: .post,
                    url: witness.url + "/add-checkpoint",
                    headers: [.contentType: "text/plain; charset=utf-8"],
                    body: request.body,
                    limits: Self.limits
                )
            )
            switch answer.status.code {
            case 200:
                try await keep(answer.body, to: request, of: head, by: witness)
                return true
            case 409 where answer.headers[.contentType]?.hasPrefix("text/x.tlog.size") == true:
                guard let known = WitnessRequest.knownSize(answer.body) else { throw AttestationFault.answer(409) }
                // It has seen what this deployment does not have: a restore, or a fork.
                guard known <= size else { throw AttestationFault.ahead(size: known, ours: size) }
                oldSize = known
            case 422: throw AttestationFault.inconsistent(size: size)
            case 404: throw AttestationFault.logUnknown
            case 403: throw AttestationFault.keyUnknown
            default: throw AttestationFault.answer(answer.status.code)
            }
        }
        throw AttestationFault.answer(409)
    }

    private func keep(
        _ answer: [UInt8],
        to request: WitnessRequest,
        of head: Head,
        by witness: Attesters.Witness
    ) async throws {
        let (cosigned, cosignature) = try request.cosigned(by: witness.key, answer: answer)
        let seconds = Int(clamping: cosignature.time ?? 0)
        try refuseSkew(seconds)
        let line = cosigned.note.signatures.last { $0.name == witness.key.name && $0.keyID == witness.key.id }
        guard let line else { throw AttestationFault.answer(200) }
        try await store.keep(
            .cosignature(line, seconds: seconds),
            of: head.signed,
            publishedAt: head.publishedAt
        )
    }
}

// MARK: - Time

extension RootAttestor {
    /// Has an authority stamp the text of the newest checkpoint; false where it has.
    func stamp(by authority: Attesters.Authority) async throws -> Bool {
        guard let head = try await next(of: "timestamp", for: authority.name) else { return false }
        let randomness = store.randomness.bytes(TimestampRequest.nonceLength)
        guard let request = TimestampRequest(of: head.signed.checkpoint.text, randomness: randomness) else {
            return false
        }
        let answer = try await outbound.send(
            OutboundRequest(
                method: .post,
                url: authority.url,
                headers: [.contentType: TimestampRequest.contentType],
                body: request.body,
                limits: Self.limits
            )
        )
        guard answer.status == .ok else { throw AttestationFault.answer(answer.status.code) }
        let token = try request.token(from: answer.body, by: authority.certificates)
        try refuseSkew(token.time)
        try await store.keep(
            .timestamp(token, authority: authority.name),
            of: head.signed,
            publishedAt: head.publishedAt
        )
        return true
    }
}

/// Who is asked to vouch for the root log.
package struct Attesters: Sendable {
    /// Witnesses that have an address.
    package let witnesses: [Witness]
    package let authorities: [Authority]

    /// A witness and where it takes checkpoints.
    package struct Witness: Sendable {
        package let key: NoteVerifierKey
        /// Without a slash at its end.
        package let url: String
    }

    /// A time stamp authority, and who its certificates are.
    package struct Authority: Sendable {
        /// As kept beside its stamps.
        package let name: String
        package let url: String
        package let certificates: TimestampAuthorities

        /// Its name is its URL.
        package init(url: String, certificates: TimestampAuthorities) {
            (name, self.url, self.certificates) = (url, url, certificates)
        }
    }

    /// Of a policy, those witnesses that have a URL.
    package init(policy: LogPolicy?, authorities: [Authority]) {
        witnesses = (policy?.witnesses ?? []).compactMap { witness in
            witness.url.map { Witness(key: witness.key, url: $0) }
        }
        self.authorities = authorities
    }

    package var isEmpty: Bool { witnesses.isEmpty && authorities.isEmpty }
}

/// Why nobody vouched. What is not here is an error of the network, or of what was answered.
package enum AttestationFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The witness says that the checkpoint does not go on from what it cosigned before.
    case inconsistent(size: Int)
    /// The witness has cosigned more than there is.
    case ahead(size: Int, ours: Int)
    /// The witness does not watch this log.
    case logUnknown
    /// The witness believes another key of this log.
    case keyUnknown
    case clock(seconds: Int)
    /// A status that says nothing.
    case answer(Int)

    /// Whether the log itself may be wrong, and not only who was asked.
    package var isAlarming: Bool {
        switch self {
        case .inconsistent, .ahead: true
        default: false
        }
    }

    package var description: String {
        switch self {
        case .inconsistent(let size): "the witness says that size \(size) does not go on from what it cosigned"
        case .ahead(let size, let ours): "the witness cosigned size \(size), and the root log has \(ours)"
        case .logUnknown: "the witness does not know the root log's origin"
        case .keyUnknown: "the witness knows another key of the root log"
        case .clock(let seconds): "the attester's clock says \(seconds) seconds since 1970"
        case .answer(let status): "the attester answered \(status)"
        }
    }
}
