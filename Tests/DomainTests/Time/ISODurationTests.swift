import Domain
import Testing

@Suite struct ISODurationTests {
    @Test(
        arguments: [
            ("P90D", 90 * 86_400), ("P1Y", 365 * 86_400), ("P3M", 90 * 86_400), ("P2W", 14 * 86_400), ("PT12H", 43_200),
            ("PT1M", 60), ("PT60S", 60), ("P10Y", 3650 * 86_400), ("P1Y2M3DT4H5M6S", 36_993_906), ("P0DT1H", 3600),
        ] as [(String, Int64)]
    )
    func `lifetimes are read and kept as written`(text: String, seconds: Int64) throws {
        let lifetime = try #require(ISODuration(text))
        #expect(lifetime.duration == .seconds(seconds))
        #expect(lifetime.description == text)
    }

    @Test(arguments: [
        "", "P", "PT", "P1", "1D", "P1DT", "P1H", "PT1D", "P1M1Y", "P1D1D", "P1.5D", "P1,5D", "-P1D", "P-1D", "p1d",
        "P 1D",
        "P1D ", "P1W1D", "P1Y1W", "P1WT1H", "PTT1H", "P٣D", "P99999999999D", "P1Y\u{301}",
    ])
    func `what is not of the form is refused`(text: String) {
        #expect(ISODuration(text) == nil)
    }

    @Test(arguments: ["P0D", "PT59S", "PT0S", "P10Y1D", "P11Y", "P522W"])
    func `what is shorter than a minute or longer than ten years is refused`(text: String) {
        #expect(ISODuration(text) == nil)
    }
}
