import Domain
import Testing

@Suite struct TimestampTests {
    /// The examples of RFC 3339 5.8, and the corners between them.
    @Test(arguments: [
        ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"),
        ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
        ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"),
        ("2026-11-21t09:00:00z", "2026-11-21T09:00:00Z"),
        ("2026-11-21T09:00:00-00:00", "2026-11-21T09:00:00Z"),
        ("2026-11-21T09:00:00+23:59", "2026-11-20T09:01:00Z"),
        ("2026-11-21T09:00:00.1234569Z", "2026-11-21T09:00:00.123456Z"),
        ("2026-11-21T09:00:00.000000Z", "2026-11-21T09:00:00Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ])
    func `an RFC 3339 time is read, and written in UTC`(text: String, written: String) throws {
        let instant = try #require(Timestamp(text))
        #expect(instant.description == written)
        #expect(Timestamp(written) == instant)
    }

    @Test(arguments: [
        "2026-11-21T09:00:00",  // no offset
        "2026-11-21 09:00:00Z",
        "2026-11-21",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T09:60:00Z",
        "2026-11-21T09:00:61Z",
        "2026-11-21T09:00:00.Z",
        "2026-11-21T09:00:00,5Z",
        "2026-11-21T09:00Z",
        "2026-11-21T09:00:00+24:00",
        "2026-11-21T09:00:00+0100",
        "2026-11-21T09:00:00+01",
        "2026-11-21T09:00:00Z ",
        " 2026-11-21T09:00:00Z",
        "26-11-21T09:00:00Z",
        "+2026-11-21T09:00:00Z",
        "2026-1-21T09:00:00Z",
        "２０２６-11-21T09:00:00Z",
        "",
    ])
    func `what RFC 3339 does not allow is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `before 1970 parts are rounded down, not toward zero`() {
        let instant = Timestamp(microseconds: -1)
        #expect(instant.seconds == -1)
        #expect(instant.description == "1969-12-31T23:59:59.999999Z")
        #expect(Timestamp("1969-12-31T23:59:59.999999Z") == instant)
        #expect(Timestamp(microseconds: -86_400_000_000).description == "1969-12-31T00:00:00Z")
        #expect(Timestamp(microseconds: -86_400_000_001).description == "1969-12-30T23:59:59.999999Z")
        #expect(Timestamp(seconds: 0).seconds == 0)
    }

    @Test func `durations are added to the microsecond`() {
        let instant = Timestamp(seconds: 10)
        #expect(instant + .milliseconds(1) == Timestamp(microseconds: 10_001_000))
        #expect(instant - .seconds(11) == Timestamp(seconds: -1))
        #expect(Timestamp(seconds: 12) - instant == .seconds(2))
        #expect((.zero - Duration.nanoseconds(1500)).wholeMicroseconds == -1)
    }

    @Test func `every day of four hundred years is the one after its eve`() throws {
        var expected = try #require(LocalDate(year: 1900, month: 1, day: 1)).daysSinceEpoch
        for year in 1900...2300 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for (index, days) in [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
                for day in 1...days {
                    let date = try #require(LocalDate(year: year, month: index + 1, day: day))
                    #expect(date.daysSinceEpoch == expected)
                    expected += 1
                }
                #expect(LocalDate(year: year, month: index + 1, day: days + 1) == nil)
            }
        }
        #expect(LocalDate("1970-01-01")?.daysSinceEpoch == 0)
        #expect(LocalDate("1969-12-31")?.daysSinceEpoch == -1)
    }

    @Test(arguments: ["2026-2-01", "2026-02-30", "2026-02-01T", "20260201", "2026-02-01Z", "", "0000-00-00"])
    func `what is not a full date is refused`(text: String) {
        #expect(LocalDate(text) == nil)
    }
}
