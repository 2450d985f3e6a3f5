import Domain
import Foundation
import TestSupport
import Testing
import Transparency

private struct RepeatedByte: Randomness {
    let byte: UInt8
    func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: byte, count: count) }
}

@Suite struct RetryPolicyTests {
    private static let now = Timestamp(seconds: 1_000_000)

    @Test func `pauses double, and the eighth failure is the last`() {
        let pauses = (1...8).map { failures in
            RetryPolicy.nextTry(after: failures, at: Self.now, using: RepeatedByte(byte: 0)).map { $0 - Self.now }
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 64].map { .seconds($0) } + [nil])
    }

    @Test func `up to a fifth is added, so that failures part`() throws {
        let latest = try #require(RetryPolicy.nextTry(after: 7, at: Self.now, using: RepeatedByte(byte: 255)))
        #expect(latest - Self.now > .seconds(76))
        #expect(latest - Self.now <= .milliseconds(76_800))
        let randomness = SeededRandomness()
        let tries = Set((0..<20).compactMap { _ in RetryPolicy.nextTry(after: 3, at: Self.now, using: randomness) })
        #expect(tries.count == 20)
    }

    @Test func `no number of failures overflows`() {
        #expect(RetryPolicy.nextTry(after: .max, at: Self.now, using: RepeatedByte(byte: 0)) == nil)
        #expect(RetryPolicy.nextTry(after: 0, at: Self.now, using: RepeatedByte(byte: 0)) == Self.now + .seconds(1))
    }
}

@Suite struct EventPositionTests {
    private static let zone = TimeZone(identifier: "Europe/Vienna") ?? .gmt
    private static let said = Timestamp(seconds: 1_795_251_600)

    private static func event(
        _ kind: EventKind,
        occurredAt: Timestamp? = said,
        effective: String? = nil
    ) throws -> CanonicalEvent {
        CanonicalEvent(
            kind: kind,
            senderID: nil,
            occurredAt: occurredAt,
            effectiveAt: effective.flatMap { CanonicalEvent.Effective($0) },
            person: try CanonicalPerson(attributes: ["externalId": "e-1"])
        )
    }

    @Test func `the time comes first, then the receive sequence, then the place in the delivery`() {
        let positions = [
            EventPosition(time: Timestamp(seconds: 1), sequence: 9, ordinal: 9),
            EventPosition(time: Timestamp(seconds: 2), sequence: 1, ordinal: 9),
            EventPosition(time: Timestamp(seconds: 2), sequence: 2, ordinal: 0),
            EventPosition(time: Timestamp(seconds: 2), sequence: 2, ordinal: 1),
        ]
        #expect(positions.reversed().sorted() == positions)
    }

    @Test func `an event without a time stands where it was stored`() throws {
        let stored = Self.said + .seconds(5)
        #expect(try Self.event(.mover).positionTime(storedAt: stored, in: Self.zone) == Self.said)
        #expect(try Self.event(.mover, occurredAt: nil).positionTime(storedAt: stored, in: Self.zone) == stored)
    }

    @Test func `a leaver of a later date acts, and stands, at that date's first moment`() throws {
        let leaver = try Self.event(.leaver, effective: "2026-12-01")
        let first = try #require(Timestamp("2026-11-30T23:00:00Z"))
        #expect(leaver.actsAt(in: Self.zone) == first)
        #expect(leaver.positionTime(storedAt: Self.said, in: Self.zone) == first)
    }

    @Test func `a leaver of a past date stands where it was said`() throws {
        let leaver = try Self.event(.leaver, effective: "2020-01-01")
        #expect(leaver.positionTime(storedAt: Self.said, in: Self.zone) == Self.said)
    }

    @Test(arguments: EventKind.allCases.filter { $0 != .leaver })
    func `every other kind acts at once, whatever date it names`(kind: EventKind) throws {
        let event = try Self.event(kind, effective: "2099-01-01")
        #expect(event.actsAt(in: Self.zone) == nil)
        #expect(event.positionTime(storedAt: Self.said, in: Self.zone) == Self.said)
    }

    @Test func `only three kinds take access away`() {
        #expect(EventKind.allCases.filter(\.endsAccess) == [.leaver, .revokeNow, .deleted])
    }
}
