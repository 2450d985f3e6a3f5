import Domain
import Foundation
import Testing

@Suite struct LocalDateTests {
    /// Where daylight saving begins at midnight the day begins at one; where it ends at midnight, at the first of two.
    @Test(arguments: [
        ("2026-12-01", "Etc/UTC", "2026-12-01T00:00:00Z"),
        ("2026-12-01", "Europe/Vienna", "2026-11-30T23:00:00Z"),
        ("2026-06-01", "America/New_York", "2026-06-01T04:00:00Z"),
        ("2026-12-01", "Pacific/Kiritimati", "2026-11-30T10:00:00Z"),
        ("2026-12-01", "Asia/Kathmandu", "2026-11-30T18:15:00Z"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("2022-03-27", "Asia/Beirut", "2022-03-26T22:00:00Z"),
        ("2024-03-10", "America/Havana", "2024-03-10T05:00:00Z"),
        ("2024-11-03", "America/Havana", "2024-11-03T04:00:00Z"),
    ])
    func `a date begins at its first moment in the zone`(date: String, zone: String, instant: String) throws {
        let zone = try #require(TimeZone(identifier: zone))
        #expect(try #require(LocalDate(date)).firstMoment(in: zone).description == instant)
    }

    @Test func `an effective date waits for a zone, an instant does not`() throws {
        let zone = try #require(TimeZone(identifier: "Asia/Tokyo"))
        #expect(CanonicalEvent.Effective("2026-12-01")?.instant(in: zone) == Timestamp("2026-11-30T15:00:00Z"))
        #expect(
            CanonicalEvent.Effective("2026-12-01T00:00:00Z")?.instant(in: zone) == Timestamp("2026-12-01T00:00:00Z")
        )
        #expect(CanonicalEvent.Effective("tomorrow") == nil)
    }
}
