import Domain
import Evidence
import Testing
import Transparency

@Suite struct ActionKindTests {
    @Test func `every action code has a kind, and is a valid event`() throws {
        for code in ActionCode.allCases {
            #expect(ActionKind.isKnown(code.rawValue), "\(code.rawValue)")
            let event = try Entries.document(try Entries.entry(Entries.members(code.rawValue)), as: .ocsf)
            #expect(OCSFSchemaTests.faults(of: event) == [], "\(code.rawValue)")
        }
        #expect(!ActionKind.isKnown("ext.payroll.read"))
    }

    @Test func `reads are calls, and nothing that changes is`() {
        for code in ActionCode.allCases {
            let asks: [ActionCode] = [.tokenIntrospected, .accessChecked, .auditAppended, .sourceKeyRevealed]
            let isAsked = [".read", ".exported"].contains(where: code.rawValue.hasSuffix) || asks.contains(code)
            #expect((ActionKind(code.rawValue).shape == .call) == isAsked, "\(code.rawValue)")
        }
    }
}
