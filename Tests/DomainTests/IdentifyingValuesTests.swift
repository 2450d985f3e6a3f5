import Domain
import Testing
import Transparency

@Suite struct IdentifyingValuesTests {
    private static let ada: JSON.Object = [
        "externalId": "e-7", "userName": "Ada.L@acme.example", "displayName": "Ada Löwe",
        "name": ["givenName": "Ada", "familyName": "Löwe"], "title": "Analyst", "active": true,
        "emails": [["value": "ada@home.example", "type": "home", "primary": true]],
        "phoneNumbers": [["value": "+41 44 555 01 99"]],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": [
            "employeeNumber": 774411, "department": "Finance",
        ],
    ]

    @Test func `what tells a person from others is taken, and what many share is not`() {
        let values = IdentifyingValues(of: Self.ada, usernames: ["payroll.ada"])
        #expect(
            Set(values.texts) == [
                "e-7", "Ada.L@acme.example", "ada.l@acme.example", "Ada Löwe", "ada löwe", "ada@home.example",
                "+41 44 555 01 99", "774411", "payroll.ada",
            ]
        )
    }

    @Test func `a value is found as it is, escaped, and in base64 wherever it begins`() throws {
        let forms = IdentifyingValues(of: Self.ada).forms.map { String(decoding: $0, as: UTF8.self) }
        for text in [
            #"{"a":"ada@home.example"}"#, "mailto:ada@home.example", #"{"n":"Ada L\u00f6we"}"#, #"{"id": "e-7"}"#,
            Base64.url.encode(Array(#"{"x":"ada@home.example"}"#.utf8)),
            Base64.url.encode(Array(#"{"xy":"ada@home.example"}"#.utf8)),
            Base64.standard.encode(Array(#"{"xyz":"ada@home.example"}"#.utf8)),
        ] {
            #expect(forms.contains { text.contains($0) }, "\(text)")
        }
        // A short value is anybody's inside another text.
        for text in [#"{"id": "e-71"}"#, "grade-7", "eda@home.example", "Ada"] {
            #expect(!forms.contains { text.contains($0) }, "\(text)")
        }
    }

    @Test func `a text that an admin wrote says a value in whichever case, and a short one as a line of its own`() {
        let values = IdentifyingValues(of: Self.ada)
        #expect(values.isSaid(in: #"userName eq "ADA.L@acme.example""#))
        #expect(values.isSaid(in: "Payroll\ne-7"))
        #expect(!values.isSaid(in: "Payroll of e-7 and others"))
        #expect(!values.isSaid(in: #"department eq "Finance""#))
    }
}
