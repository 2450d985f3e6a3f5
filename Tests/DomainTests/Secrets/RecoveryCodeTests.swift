import Domain
import TestSupport
import Testing

@Suite struct RecoveryCodeTests {
    @Test func `what is typed is read as it was meant`() throws {
        let code = RecoveryCode.make(using: SeededRandomness())
        let shown = code.reveal()
        #expect(shown.count == 11 && shown.contains("-"))
        for typed in [shown, shown.lowercased(), shown.replacing("-", with: ""), " " + shown.replacing("-", with: " ")]
        {
            #expect(RecoveryCode(typed: typed)?.reveal() == shown)
        }
        #expect(RecoveryCode(typed: "OIL10-00000")?.reveal() == "01110-00000")
        for wrong in ["", "123456", "UUUUU-UUUUU", shown + "0", String(shown.dropLast())] {
            #expect(RecoveryCode(typed: wrong) == nil)
        }
        #expect("\(code)" == "recovery code")
    }
}
