import Synchronization
import Transparency

/// A witness as C2SP tlog-witness has it, and some that are not as it has them.
final class PlayedWitness: Sendable {
    enum Manner: Sendable {
        case honest
        /// Cosigns with a key that is not its own.
        case badSignature
        /// Cosigns another checkpoint than the one it was sent.
        case otherCheckpoint
        /// Says of itself that it has seen so many entries, whatever comes.
        case claims(Int)
        /// Cosigns at a time that is not now.
        case wrongClock
        case hangs
        case answers(Int)
        /// Says that it cosigned, and adds an empty line and another text.
        case smuggles
    }

    private struct State {
        var size = 0
        var root = MerkleHash.empty
        var manner: Manner
        var requests = 0
    }

    private let key: NoteSigningKey
    private let stranger: NoteSigningKey
    private let log: NoteVerifierKey
    private let now: UInt64
    private let state: Mutex<State>

    init(_ manner: Manner, of log: NoteVerifierKey, at now: UInt64) throws {
        func key(_ seed: UInt8) throws -> NoteSigningKey {
            guard let name = NoteKeyName("witness.test/w") else { throw NoteError.signingFailed }
            return try NoteSigningKey(name: name, kind: .cosignature, seed: Array(repeating: seed, count: 32))
        }
        (self.key, stranger, self.log, self.now) = (try key(5), try key(6), log, now)
        state = Mutex(State(manner: manner))
    }

    var verifier: NoteVerifierKey { key.verifier }
    var size: Int { state.withLock { $0.size } }
    var requests: Int { state.withLock { $0.requests } }

    func behave(_ manner: Manner) { state.withLock { $0.manner = manner } }
    /// As one whose memory was lost.
    func forget() { state.withLock { ($0.size, $0.root) = (0, .empty) } }

    func answer(_ request: LocalHTTP.Request) -> LocalHTTP.Answer? {
        state.withLock { state in
            state.requests += 1
            switch state.manner {
            case .hangs: return nil
            case .answers(let status): return LocalHTTP.Answer(status: status)
            case .claims(let size): return Self.conflict(size)
            default: break
            }
            guard request.method == "POST", request.path == "/prefix/add-checkpoint" else {
                return LocalHTTP.Answer(status: 404)
            }
            do {
                return try judge(request.body, &state)
            } catch {
                return LocalHTTP.Answer(status: 400)
            }
        }
    }

    private func judge(_ body: [UInt8], _ state: inout State) throws -> LocalHTTP.Answer {
        guard let end = body.indices.first(where: { $0 > 0 && body[$0] == 0x0A && body[$0 - 1] == 0x0A }) else {
            return LocalHTTP.Answer(status: 400)
        }
        let asked = String(decoding: body[..<(end - 1)], as: UTF8.self).split(separator: "\n")
        guard asked[0].hasPrefix("old "), let old = Int(asked[0].dropFirst(4)) else {
            return LocalHTTP.Answer(status: 400)
        }
        let hashes = asked.dropFirst().compactMap { MerkleHash(base64: $0) }
        let signed = try SignedCheckpoint(parsing: Array(body[(end + 1)...]))
        guard signed.checkpoint.origin == log.name else { return LocalHTTP.Answer(status: 404) }
        do {
            _ = try LogPolicy(logs: [log]).verify(signed)
        } catch {
            return LocalHTTP.Answer(status: 403)
        }
        guard old <= signed.checkpoint.size else { return LocalHTTP.Answer(status: 400) }
        guard old == state.size else { return Self.conflict(state.size) }
        do {
            let proof = ConsistencyProof(oldSize: old, size: signed.checkpoint.size, hashes: hashes)
            if old > 0 { try proof.verify(oldRoot: state.root, root: signed.checkpoint.root) }
        } catch {
            return LocalHTTP.Answer(status: 422)
        }
        (state.size, state.root) = (signed.checkpoint.size, signed.checkpoint.root)
        return LocalHTTP.Answer(body: Array(try lines(over: signed, state.manner).utf8))
    }

    private func lines(over signed: SignedCheckpoint, _ manner: Manner) throws -> String {
        let text = signed.note.text
        switch manner {
        case .badSignature:
            // Under the witness' name and id, by another's hand.
            let forged = try stranger.signature(over: text, at: now)
            let real = try key.signature(over: text, at: now)
            let id = (0..<4).map { UInt8(real.keyID >> (24 - 8 * UInt32($0)) & 0xFF) }
            return "\u{2014} \(key.verifier.name.text) \(Base64.standard.encode(id + forged.bytes))\n"
        case .otherCheckpoint:
            let other = Checkpoint(origin: signed.checkpoint.origin, size: 1, root: .leaf([1]))
            return try key.signature(over: other.text, at: now).line
        case .wrongClock: return try key.signature(over: text, at: now + 86_400).line
        case .smuggles: return try "\n" + key.signature(over: text, at: now).line
        default:
            // A line of somebody else is no matter of ours.
            return try key.signature(over: text, at: now).line + stranger.signature(over: text, at: now).line
        }
    }

    private static func conflict(_ size: Int) -> LocalHTTP.Answer {
        LocalHTTP.Answer(status: 409, contentType: "text/x.tlog.size", body: Array("\(size)\n".utf8))
    }
}
