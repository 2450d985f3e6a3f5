package import Transparency

/// What was done, to what: the half of an audit entry that the change itself knows. ``leaf(id:organization:by:at:using:)``
/// makes the leaf of both halves.
package struct AuditDraft: Sendable {
    package var action: ActionCode
    /// What an API of the organization says was done; then it stands in place of ``action``.
    package var external: ExternalAction?
    package var target: AuditTarget
    package var outcome: AuditOutcome
    /// Why it was refused, or how it was settled: a fixed word.
    package var reason: String?
    package var authority: Authority?
    /// State without personal values, of what changed.
    package var before: JSON.Object
    package var after: JSON.Object
    /// Personal values of what changed. The leaf holds their salted digests only.
    package var personal: PersonalChange?
    /// The person that it is about, where that is not the target.
    package var person: PersonID?
    /// When it happened at the source, if the source said so.
    package var occurredAt: Timestamp?

    /// Personal values before and after, of one person.
    package struct PersonalChange: Sendable {
        package var subject: PersonID
        package var before: [(name: String, value: JSON)]
        package var after: [(name: String, value: JSON)]

        package init(
            subject: PersonID,
            before: [(name: String, value: JSON)] = [],
            after: [(name: String, value: JSON)] = []
        ) {
            self.subject = subject
            self.before = before
            self.after = after
        }
    }

    package init(
        _ action: ActionCode,
        _ target: AuditTarget,
        outcome: AuditOutcome = .done,
        reason: String? = nil,
        authority: Authority? = nil,
        before: JSON.Object = [:],
        after: JSON.Object = [:],
        personal: PersonalChange? = nil,
        person: PersonID? = nil,
        occurredAt: Timestamp? = nil
    ) {
        self.action = action
        self.target = target
        self.outcome = outcome
        self.reason = reason
        self.authority = authority
        self.before = before
        self.after = after
        self.personal = personal
        self.person = person
        self.occurredAt = occurredAt
    }
}

/// An entry as it is stored: the exact bytes, what search needs, and what stands behind its digests.
package struct AuditEntry: Sendable {
    package let id: AuditEntryID
    package let recordedAt: Timestamp
    /// RFC 8785 canonical JSON, at most ``mostLeafBytes``.
    package let leaf: [UInt8]
    package let actor: UserID?
    package let action: AuditAction
    package let target: IDBits
    package let person: PersonID?
    package let outcome: AuditOutcome
    /// Sides of the change that the leaf only names.
    package let blobs: [LeafBlob]
    /// Clear text of the digests, for the disclosure table; nil where there is none.
    package let disclosed: (subject: PersonID, disclosures: [Disclosure])?

    /// C2SP tlog-tiles: an entry's length is a uint16.
    package static let mostLeafBytes = 65_535
    /// Version of the leaf's shape, its member `v`.
    package static let leafVersion: Int64 = 1
}

/// A leaf that would be larger than the log takes though the change stands beside it, or holds a number that RFC 8785 cannot write.
package enum AuditLeafError: Error, Sendable {
    case tooLarge(bytes: Int)
    case notCanonical(JSON.CanonicalError)
    case notDisclosable(DisclosureError)
}

extension AuditDraft {
    private var told: AuditAction { external.map(AuditAction.external) ?? .own(action) }

    /// The entry of this change. Every member of the leaf's shape is present, null where it does not apply.
    package func entry(
        id: AuditEntryID,
        organization: OrganizationID,
        by attribution: Attribution,
        at recordedAt: Timestamp,
        using randomness: some Randomness
    ) throws(AuditLeafError) -> AuditEntry {
        let before = try Self.disclose(personal?.before ?? [], into: self.before, using: randomness)
        let after = try Self.disclose(personal?.after ?? [], into: self.after, using: randomness)
        var leaf: JSON.Object = [
            "v": .number(JSON.Number(AuditEntry.leafVersion)),
            "id": .string(id.description),
            "organization": .string(organization.description),
            "actor": attribution.actor.json,
            "credential": attribution.credential.map {
                ["id": .string($0.id), "digest_prefix": .string($0.digestPrefix)]
            } ?? .null,
            "on_behalf_of": .array(
                attribution.onBehalfOf.map { ["kind": "person", "id": .string($0.description)] }
            ),
            "authority": authority?.json ?? .null,
            "action": .string(told.description),
            "target": ["kind": .string(target.kind), "id": .string(target.id)],
            "person": .orNull(person),
            "outcome": .string(outcome.rawValue),
            "reason": reason.map(JSON.string) ?? .null,
            "before": .object(before.object),
            "after": .object(after.object),
            "source_delivery": .orNull(attribution.delivery),
            "source_event": .orNull(attribution.event),
            "request_id": .orNull(attribution.origin.request),
            "trace_id": attribution.origin.trace.map(JSON.string) ?? .null,
            "client_ip": .orNull(attribution.origin.address),
            "user_agent": attribution.origin.userAgent.map(JSON.string) ?? .null,
            "occurred_at": .orNull(occurredAt),
            "received_at": .orNull(attribution.receivedAt),
            "recorded_at": .orNull(recordedAt),
        ]
        var bytes = try Self.canonical(leaf)
        var blobs: [LeafBlob] = []
        if bytes.count > AuditEntry.mostLeafBytes {
            let sides = [
                ("before", try LeafBlob(.object(before.object))), ("after", try LeafBlob(.object(after.object))),
            ]
            // The larger one first: the smaller one mostly has room then.
            for (name, blob) in sides.sorted(by: { $0.1.bytes.count > $1.1.bytes.count })
            where bytes.count > AuditEntry.mostLeafBytes {
                leaf[name] = blob.reference
                bytes = try Self.canonical(leaf)
                blobs.append(blob)
            }
        }
        guard bytes.count <= AuditEntry.mostLeafBytes else { throw .tooLarge(bytes: bytes.count) }
        let disclosures = before.disclosures + after.disclosures
        return AuditEntry(
            id: id,
            recordedAt: recordedAt,
            leaf: bytes,
            actor: attribution.actor.user,
            action: told,
            target: target.bits,
            person: person ?? attribution.onBehalfOf.first,
            outcome: outcome,
            blobs: blobs,
            disclosed: disclosures.isEmpty ? nil : personal.map { ($0.subject, disclosures) }
        )
    }

    private static func canonical(_ leaf: JSON.Object) throws(AuditLeafError) -> [UInt8] {
        do { return try JSON.object(leaf).canonical() } catch { throw .notCanonical(error) }
    }

    /// Adds the digests of `values` as the member `_sd` (RFC 9901 4.2.4.1), in ascending order so that the order tells
    /// nothing.
    private static func disclose(
        _ values: [(name: String, value: JSON)],
        into object: JSON.Object,
        using randomness: some Randomness
    ) throws(AuditLeafError) -> (object: JSON.Object, disclosures: [Disclosure]) {
        guard !values.isEmpty else { return (object, []) }
        var disclosures: [Disclosure] = []
        for value in values {
            let salt = Base64.url.encode(randomness.bytes(16))
            do {
                disclosures.append(try Disclosure(salt: salt, name: value.name, value: value.value))
            } catch {
                throw .notDisclosable(error)
            }
        }
        var object = object
        object["_sd"] = .array(disclosures.map(\.digest).sorted().map(JSON.string))
        return (object, disclosures)
    }
}

extension JSON {
    /// The text of an id, time or address, or null.
    package static func orNull(_ value: (some CustomStringConvertible)?) -> JSON {
        value.map { .string($0.description) } ?? .null
    }
}
