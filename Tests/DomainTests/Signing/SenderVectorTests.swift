import Domain
import Foundation
import Testing
import Transparency

/// Every sender's requests in Tests/Vectors/webhooks/signatures.
@Suite struct SenderVectorTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static let folder = tests.appending(path: "Vectors/webhooks/signatures")
    private static let profiles = tests.deletingLastPathComponent().appending(path: "Sources/Domain/Profiles")

    private static func stems(of folder: URL, _ ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
            .filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }
    }

    // Where the folder cannot be read, the test above says so.
    private static let senders = (try? stems(of: folder, ".json")) ?? []

    @Test func `every sender that signs or sends a secret along has its profile`() throws {
        let senders = """
            standard-webhooks svix bamboohr hibob personio gusto rippling deel finch merge workday greenhouse ashby lever
            workos okta github stripe slack remote persona jackson hook0 outpost rfc9421 set
            """
        let missing = Set(senders.split(whereSeparator: \.isWhitespace).map(String.init))
            .subtracting(try SigningProfile.embedded().keys)
        #expect(missing == [])
    }

    @Test func `every profile is carried, and has vectors that are accepted and refused`() throws {
        let names = try Self.stems(of: Self.profiles, ".yaml")
        #expect(try SigningProfile.embedded().keys.sorted() == names)
        #expect(try Self.stems(of: Self.folder, ".json") == names)
        for name in names {
            let cases = try SenderCase.all(in: Self.folder.appending(path: name + ".json"))
            #expect(cases.contains { $0.verdict == "accepted" }, "\(name)")
            #expect(cases.count { $0.verdict != "accepted" } > 2, "\(name)")
            #expect(Set(cases.map(\.title)).count == cases.count, "\(name)")
            for one in cases where one.verdict != "accepted" {
                #expect(Verdict.Refusal(rawValue: one.verdict) != nil, "\(name): \(one.title)")
            }
        }
    }

    @Test(arguments: senders)
    func `requests are judged as their sender's vectors say`(sender: String) async throws {
        let cases = try SenderCase.all(in: Self.folder.appending(path: sender + ".json"))
        var deliveries: [String: [UInt8]] = [:]
        for one in cases {
            let verdict = try await one.judged(by: try profile(sender, one))
            guard case .accepted(let acceptance) = verdict else {
                #expect(verdict == Verdict.Refusal(rawValue: one.verdict).map { .refused($0) }, "\(one.title)")
                continue
            }
            #expect(one.verdict == "accepted", "\(one.title)")
            deliveries[one.title] = acceptance.deduplication
            one.check(acceptance)
        }
        for one in cases {
            if let other = one.json["same_as"]?.string {
                #expect(deliveries[other] != nil && deliveries[one.title] == deliveries[other], "\(one.title)")
            }
            if let other = one.json["not_same_as"]?.string {
                #expect(deliveries[other] != nil && deliveries[one.title] != deliveries[other], "\(one.title)")
            }
        }
    }

    /// The sender's, or that with what is stated of the source, or with other components to be covered.
    private func profile(_ name: String, _ one: SenderCase) throws -> SigningProfile {
        let parties = ["issuers", "audiences"].map { one.json[$0]?.array?.compactMap(\.string) }
        if parties.contains(where: { $0 != nil }) {
            let profile = try #require(try SigningProfile.embedded()[name])
            #expect(profile.carriesTokens)
            return profile.expecting(TokenParties(issuers: parties[0], audiences: parties[1]))
        }
        guard let components = one.json["components"] else { return try #require(try SigningProfile.embedded()[name]) }
        var lines = try String(contentsOf: Self.profiles.appending(path: name + ".yaml"), encoding: .utf8)
            .components(separatedBy: "\n")
        let place = try #require(lines.firstIndex { $0.hasPrefix("  components:") })
        lines[place] = "  components: \(components.text)"
        let isProved = components.array?.contains("content-digest") ?? false
        lines = lines.map { $0 == "body: proved" && !isProved ? "body: unproved" : $0 }
        return try SigningProfile(yaml: lines.joined(separator: "\n"), file: name + ".yaml")
    }
}

/// One request of a file of vectors.
struct SenderCase {
    let json: JSON
    let title: String
    let verdict: String

    static func all(in file: URL) throws -> [SenderCase] {
        let vectors = try JSON.parse(Array(Data(contentsOf: file)))
        return try #require(vectors["cases"]?.array).map { json in
            SenderCase(
                json: json,
                title: try #require(json["title"]?.string),
                verdict: try #require(json["verdict"]?.string)
            )
        }
    }

    func judged(by profile: SigningProfile) async throws -> Verdict {
        let lines = try #require(json["headers"]?.array).compactMap { $0.string }
        let request = HookRequest(
            method: json["method"]?.string ?? "POST",
            url: json["url"]?.string ?? "https://rollcall.example/hooks/src_1",
            headers: try lines.map { line in
                let colon = try #require(line.range(of: ": "))
                return (String(line[..<colon.lowerBound]), String(line[colon.upperBound...]))
            },
            body: Array(try #require(json["body"]?.string).utf8)
        )
        let keys = try #require(json["keys"]?.array).map { key in
            try SigningKey(
                secret: try #require(key["secret"]?.string),
                forms: profile.secretForms,
                label: key["label"]?.string
            )
        }
        let at = try #require(json["at"]?.string.flatMap(Timestamp.init))
        return await SignatureVerifier.verify(profile: profile, request: request, receivedAt: at, keys: keys)
    }

    /// What the file says of an acceptance, where it says so.
    func check(_ acceptance: Verdict.Acceptance) {
        #expect(acceptance.deduplication.count == 32, "\(title)")
        if let id = json["message_id"] { #expect(acceptance.messageID == id.string, "\(title)") }
        if let time = json["signed_at"] { #expect(acceptance.signedAt?.description == time.string, "\(title)") }
        if let isProved = json["proved"] { #expect(acceptance.bodyIsProved == isProved.bool, "\(title)") }
    }
}
