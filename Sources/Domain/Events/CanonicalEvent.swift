package import Foundation

/// What a source says happened to a person. Raw values are those of the canonical event.
package enum EventKind: String, Sendable, CaseIterable {
    case joiner
    case mover
    /// That a leaving was recorded: nothing ends yet.
    case leaverRecorded = "leaver-recorded"
    case leaver
    /// Access ends at once, whatever date is named.
    case revokeNow = "revoke-now"
    case rehire
    case leaverCancelled = "leaver-cancelled"
    case deleted
    /// The connection works; nobody is meant.
    case ping

    /// Kinds that take access away. They never wait for a failing event of their own person.
    package var endsAccess: Bool { self == .leaver || self == .revokeNow || self == .deleted }
}

/// One thing that a delivery says about one person.
package struct CanonicalEvent: Sendable {
    package let kind: EventKind
    /// The sender's own id of it, for people who search.
    package let senderID: String?
    package let occurredAt: Timestamp?
    package let effectiveAt: Effective?
    /// nil for a ping.
    package let person: CanonicalPerson?

    /// When it takes effect: an instant, or a date that only the source's zone makes one.
    package enum Effective: Sendable, Hashable {
        case instant(Timestamp)
        case date(LocalDate)

        /// RFC 3339 `date-time` or `full-date`.
        package init?(_ text: String) {
            if let date = LocalDate(text) {
                self = .date(date)
            } else if let instant = Timestamp(text) {
                self = .instant(instant)
            } else {
                return nil
            }
        }

        /// A date means its first moment in the source's zone.
        package func instant(in zone: TimeZone) -> Timestamp {
            switch self {
            case .instant(let instant): instant
            case .date(let date): date.firstMoment(in: zone)
            }
        }
    }

    package init(
        kind: EventKind,
        senderID: String?,
        occurredAt: Timestamp?,
        effectiveAt: Effective?,
        person: CanonicalPerson?
    ) {
        self.kind = kind
        self.senderID = senderID
        self.occurredAt = occurredAt
        self.effectiveAt = effectiveAt
        self.person = person
    }

    /// Events of one delivery at most.
    package static let mostPerDelivery = 1000
}

/// The place of an event among those of its person: later positions say newer things.
package struct EventPosition: Sendable, Hashable, Comparable {
    /// The signed time of the event, else when the database received it. A leaver that takes effect later than it was
    /// said stands where it takes effect: a mover in between is older, and the leaver is not lost.
    package let time: Timestamp
    /// Receive sequence, then place in the delivery.
    package let sequence: Int64
    package let ordinal: Int

    package init(time: Timestamp, sequence: Int64, ordinal: Int) {
        self.time = time
        self.sequence = sequence
        self.ordinal = ordinal
    }

    package static func < (one: EventPosition, other: EventPosition) -> Bool {
        (one.time, one.sequence, one.ordinal) < (other.time, other.sequence, other.ordinal)
    }
}

extension CanonicalEvent {
    /// When a leaver of a later date acts; nil for what acts at once. Joiners act at once whatever date they name, so
    /// that access is there on the first day.
    package func actsAt(in zone: TimeZone) -> Timestamp? {
        kind == .leaver ? effectiveAt?.instant(in: zone) : nil
    }

    /// How far ahead of its receipt an event may be dated: clocks and zones are wrong by hours. One dated later than
    /// that is no news from the future; believed, it would make every leaver until then stale.
    package static let mostAhead = Duration.seconds(24 * 3600)

    private func believedTime(storedAt: Timestamp) -> Timestamp? {
        occurredAt.flatMap { $0 <= storedAt + Self.mostAhead ? $0 : nil }
    }

    /// The time of its ``EventPosition``: the believed time of the event, else `storedAt`, the database's time of receipt;
    /// for a leaver of a later date, that date.
    package func positionTime(storedAt: Timestamp, in zone: TimeZone) -> Timestamp {
        let said = believedTime(storedAt: storedAt) ?? storedAt
        return max(said, actsAt(in: zone) ?? said)
    }
}
