/// Whom one believes about a log (C2SP tlog-policy): its keys, the witnesses one knows, and which of them have to have
/// cosigned.
package struct LogPolicy: Hashable, Sendable {
    /// Any one of them has to have signed, under the origin as its name.
    package let logs: [NoteVerifierKey]
    /// By the name that the policy gives them.
    package let witnesses: [Witness]
    private let groups: [Group]
    /// Nil asks for no witness.
    private let quorum: String?

    /// A witness as a policy lists it.
    package struct Witness: Hashable, Sendable {
        package let name: String
        package let key: NoteVerifierKey
        /// Where it takes checkpoints (C2SP tlog-witness, submission prefix), without a slash at its end; nil: it is not asked.
        package let url: String?
    }

    private struct Group: Hashable {
        let name: String
        let threshold: Int
        let members: [String]
    }

    /// Bytes of the largest policy.
    package static let largestBytes = 65_536
    /// Logs, witnesses and groups, each. The format asks for room for 32.
    package static let mostOfEach = 256

    /// Believes these keys of logs, without witnesses. Refuses witnesses' keys and an empty list.
    package init(logs: [NoteVerifierKey]) throws(NoteError) {
        guard !logs.isEmpty, logs.allSatisfy({ $0.kind == .ed25519 }) else { throw .malformed(.policy, line: 0) }
        (self.logs, witnesses, groups, quorum) = (logs, [], [], nil)
    }

    private init(_ policy: LogPolicy, logs: [NoteVerifierKey]) {
        (self.logs, witnesses, groups, quorum) = (logs, policy.witnesses, policy.groups, policy.quorum)
    }

    /// The policy that also believes the keys of logs for which its own keys vouch. Refuses as `KeyEndorsement.believed`.
    package func believing(_ endorsements: [KeyEndorsement]) throws(NoteError) -> LogPolicy {
        LogPolicy(self, logs: try KeyEndorsement.believed(logs, by: endorsements))
    }

    /// Whether it asks for any witness.
    package var asksForWitnesses: Bool { quorum != nil }

    /// Reads a policy file. Refuses words and keys that it does not know, a key twice, a name twice, a member of two
    /// groups, and a quorum that is missing.
    package init(parsing bytes: [UInt8]) throws(NoteError) {
        guard bytes.count <= Self.largestBytes else { throw .tooLarge(.policy) }
        let text = String(validating: bytes, as: UTF8.self)
        guard let text, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A || $0 == 0x09 }) else {
            throw .malformed(.policy, line: 0)
        }
        var reader = Reader()
        for (place, line) in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let words = line.split { $0 == 0x20 || $0 == 0x09 }.map { String(Substring($0)) }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard reader.read(words) else { throw .malformed(.policy, line: place + 1) }
        }
        guard let quorum = reader.quorum else { throw .malformed(.policy, line: 0) }
        let largest = max(reader.logs.count, reader.witnesses.count, reader.groups.count)
        guard largest <= Self.mostOfEach else { throw .tooLarge(.policy) }
        (logs, witnesses, groups) = (reader.logs, reader.witnesses, reader.groups)
        self.quorum = quorum == Reader.nobody ? nil : quorum
    }

    /// The signatures that made it count. Refuses a checkpoint that no key of its log signed, one of a log that the policy
    /// does not list, one with a signature of a known key that does not hold, and one without the quorum. The quorum is not
    /// asked for where another checkpoint, that has it, holds this one.
    package func verify(
        _ signed: SignedCheckpoint,
        askingWitnesses: Bool = true
    ) throws(NoteError) -> [VerifiedSignature] {
        let origin = signed.checkpoint.origin
        let ours = logs.filter { $0.name == origin }
        guard !ours.isEmpty else { throw .otherOrigin(found: origin) }
        let verified = try signed.note.verified(by: ours + witnesses.map(\.key))
        guard verified.contains(where: { ours.contains($0.key) }) else { throw .notSigned(by: ours.map(\.name)) }
        let cosigners = Set(verified.map(\.key))
        if askingWitnesses, let quorum, !holds(quorum, cosigners) {
            throw .quorumMissing(cosigned: witnesses.map(\.key).filter(cosigners.contains).map(\.name))
        }
        return verified
    }

    private func holds(_ name: String, _ cosigners: Set<NoteVerifierKey>) -> Bool {
        if let witness = witnesses.first(where: { $0.name == name }) { return cosigners.contains(witness.key) }
        guard let group = groups.first(where: { $0.name == name }) else { return false }
        // Members were defined before their group, so that this ends.
        return group.members.count { holds($0, cosigners) } >= group.threshold
    }

    /// The lines of a policy file so far.
    private struct Reader {
        static let nobody = "none"

        var logs: [NoteVerifierKey] = []
        var witnesses: [Witness] = []
        var groups: [Group] = []
        var quorum: String?
        private var members: Set<String> = []

        /// False for a line that may not stand there.
        mutating func read(_ words: [String]) -> Bool {
            switch words[0] {
            case "log": log(words)
            case "witness": witness(words)
            case "group": group(words)
            case "quorum": quorum(words)
            default: false
            }
        }

        private mutating func log(_ words: [String]) -> Bool {
            guard (2...3).contains(words.count), let key = key(words[1], .ed25519) else { return false }
            guard !logs.contains(where: { $0.publicKey == key.publicKey }) else { return false }
            logs.append(key)
            return true
        }

        private mutating func witness(_ words: [String]) -> Bool {
            guard (3...4).contains(words.count), isFree(words[1]), let key = key(words[2], .cosignature) else {
                return false
            }
            guard !witnesses.contains(where: { $0.key.publicKey == key.publicKey }) else { return false }
            let url = words.dropFirst(3).first.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
            witnesses.append(Witness(name: words[1], key: key, url: url))
            return true
        }

        private mutating func group(_ words: [String]) -> Bool {
            guard words.count >= 4, isFree(words[1]) else { return false }
            let listed = Array(words[3...])
            for name in listed { guard isDefined(name), members.insert(name).inserted else { return false } }
            let threshold =
                switch words[2] {
                case "all": listed.count
                case "any": 1
                default: Decimal.read(words[2]) ?? 0
                }
            guard (1...listed.count).contains(threshold) else { return false }
            groups.append(Group(name: words[1], threshold: threshold, members: listed))
            return true
        }

        private mutating func quorum(_ words: [String]) -> Bool {
            guard words.count == 2, quorum == nil, words[1] == Self.nobody || isDefined(words[1]) else { return false }
            quorum = words[1]
            return true
        }

        private func key(_ text: String, _ kind: NoteKind) -> NoteVerifierKey? {
            do throws(NoteError) {
                let key = try NoteVerifierKey(text)
                return key.kind == kind ? key : nil
            } catch {
                return nil
            }
        }

        private func isDefined(_ name: String) -> Bool {
            witnesses.contains { $0.name == name } || groups.contains { $0.name == name }
        }

        private func isFree(_ name: String) -> Bool { name != Self.nobody && !isDefined(name) }
    }
}
