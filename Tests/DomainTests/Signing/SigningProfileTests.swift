import Domain
import Testing

@Suite struct SigningProfileTests {
    /// A sender as other senders' files will be: a MAC over the body alone, in hexadecimal behind a prefix.
    private static let plain = """
        name: sample
        title: Sample
        unconfirmed: []
        body: proved
        signature:
          header: X-Hub-Signature-256
          grammar: prefixed
          prefix: "sha256="
          schemes: [{algorithm: hmac-sha256, encoding: hex}]
        signed: [body]
        deduplication: signed-bytes
        equal_deliveries: merge
        secrets: [utf8]
        content_types: [application/json]
        response: {success: 200, reject: 401, acknowledge_within_milliseconds: 3000}
        handshakes: []
        credentials: [Authorization]
        """

    private static func profile(_ changes: [(String, String)] = []) throws(SigningProfileError) -> SigningProfile {
        var yaml = plain
        for (old, new) in changes {
            precondition(yaml.contains(old), "the sample has no \(old)")
            yaml = yaml.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
        }
        return try SigningProfile(yaml: yaml, file: "sample.yaml")
    }

    private func verdict(
        _ profile: SigningProfile,
        secret: String,
        body: String,
        headers: [(name: String, value: String)],
        at seconds: Int64 = 0
    ) async throws -> Verdict {
        await SignatureVerifier.verify(
            profile: profile,
            request: HookRequest(url: "https://hr.example/hooks/1", headers: headers, body: Array(body.utf8)),
            receivedAt: Timestamp(seconds: seconds),
            keys: [try SigningKey(secret: secret, forms: profile.secretForms)]
        )
    }

    private func isAccepted(_ verdict: Verdict) -> Bool {
        if case .accepted = verdict { true } else { false }
    }

    @Test func `the embedded profile says what Standard Webhooks says`() throws {
        let profile = try #require(try SigningProfile.embedded()["standard-webhooks"])
        #expect(profile.isConfirmed)
        #expect(profile.provesBody)
        #expect(profile.hasSignedTime)
        #expect(profile.deduplication == .id)
        #expect(profile.response.success == 202)
        #expect(profile.response.reject == 401)
        #expect(profile.isCredential(header: "AUTHORIZATION"))
        #expect(!profile.isCredential(header: "webhook-signature"))
    }

    @Test(arguments: [
        ("name: sample", "name: other", "name"), ("title: Sample", "", "title"),
        ("unconfirmed: []", "unconfirmed: maybe", "unconfirmed"), ("body: proved", "body: unproved", "body"),
        ("body: proved", "body: perhaps", "body"),
        ("credentials: [Authorization]", "credentials: [Authorization]\nextra: 1", "extra"),
        ("grammar: prefixed", "grammar: magic", "signature.grammar"),
        ("  prefix: \"sha256=\"\n", "", "signature.prefix"),
        ("header: X-Hub-Signature-256", "header: X\n  footer: Y", "signature.footer"),
        ("hmac-sha256", "md5", "signature.schemes[0].algorithm"),
        ("encoding: hex", "encoding: rot13", "signature.schemes[0].encoding"),
        ("encoding: hex", "encoding: hex, salt: x", "signature.schemes[0].salt"),
        ("encoding: hex", "encoding: hex, tag: v1", "signature.schemes"),
        ("[{algorithm: hmac-sha256, encoding: hex}]", "[]", "signature.schemes"),
        ("[{algorithm: hmac-sha256, encoding: hex}]", "none", "signature.schemes"),
        ("signed: [body]", "signed: []", "signed"), ("signed: [body]", "signed: [method]", "body"),
        ("signed: [body]", "signed: [path, body]", "signed[0]"), ("signed: [body]", "signed: [id, body]", "signed"),
        ("signed: [body]", "signed: [timestamp, body]", "timestamp"),
        ("signed: [body]", "signed: [body, body]", "signed"),
        ("signed: [body]", "signed: [{literal: x, header: y}, body]", "signed[0].header"),
        (
            "signed: [body]",
            "signed: [body]\ntimestamp: {header: X-T, unit: seconds, past_seconds: 1, future_seconds: 1}", "timestamp"
        ),
        ("signed: [body]", "signed: [timestamp, body]\ntimestamp: {header: X-T, unit: years}", "timestamp.unit"),
        (
            "signed: [body]",
            "signed: [timestamp, body]\ntimestamp: {pair: t, unit: seconds, past_seconds: 1, future_seconds: 1}",
            "timestamp.pair"
        ),
        (
            "signed: [body]", "signed: [timestamp, body]\ntimestamp: {header: t, unit: seconds, past_seconds: 0}",
            "timestamp.past_seconds"
        ),
        ("deduplication: signed-bytes", "deduplication: id", "deduplication"),
        ("deduplication: signed-bytes", "deduplication: header", "deduplication"),
        ("secrets: [utf8]", "secrets: []", "secrets"), ("secrets: [utf8]", "secrets: [der]", "secrets[0]"),
        ("success: 200", "success: 302", "response.success"), ("reject: 401", "reject: 503", "response.reject"),
        ("handshakes: []", "handshakes: dance", "handshakes"), ("title: Sample", "title: Sample\ntitle: Again", ""),
        ("name: sample", "- name", ""), ("name: sample", "[", ""),
    ])
    func `a profile with a fault is refused with file and field`(old: String, new: String, field: String) {
        let error = #expect(throws: SigningProfileError.self) { try Self.profile([(old, new)]) }
        #expect(error?.file == "sample.yaml")
        #expect(error?.field == field)
        #expect(error?.description.hasPrefix("sample.yaml") == true)
    }

    @Test func `profiles say what their proof is worth`() throws {
        let profiles = try SigningProfile.embedded()
        let unproved = profiles.values.filter { !$0.provesBody }.map(\.name).sorted()
        #expect(unproved == ["lever", "okta", "personio", "rippling", "workday"])
        let untimed = profiles.values.filter { !$0.hasSignedTime }.map(\.name).sorted()
        #expect(
            untimed == [
                "ashby", "bamboohr", "deel", "github", "greenhouse", "gusto", "hibob", "merge", "okta", "outpost",
                "personio", "rippling", "workday",
            ]
        )
        #expect(profiles["set"]?.response.rejectForm == .securityEvent)
        #expect(profiles["set"]?.response.reject == 400)
        #expect(profiles["greenhouse"]?.response.success == 200)
        #expect(profiles["personio"]?.response.ackBudget == .seconds(3))
        for profile in profiles.values {
            #expect(profile.unconfirmed.allSatisfy { $0.count <= 160 && $0.last == "." }, "\(profile.name)")
            #expect(profile.isCredential(header: "Authorization"))
        }
    }

    @Test(arguments: [
        ("signed: [body]", "signed: [listed-names, listed-values, body]", "signed"),
        ("  prefix: \"sha256=\"", "  prefix: \"sha256=\"\n  listed: {pair: h}", "signature.listed"),
        ("  header: X-Hub-Signature-256", "  field: signature", "signature.field"),
        ("signed: [body]", "signed: [body]\nid: {fields: []}", "id.fields"),
        ("signed: [body]", "signed: [body]\nid: {fields: [id]}", "id.fields[0]"),
        ("signed: [body]", "signed: [id, body]\nid: {fields: [/id]}", "signed"),
        (
            "signed: [body]",
            "signed: [body, timestamp]\ntimestamp: {header: t, unit: lenient, past_seconds: 9, future_seconds: none}",
            "timestamp.past_seconds"
        ),
        (
            "signed: [body]",
            "signed: [body, timestamp]\ntimestamp: {header: t, unit: seconds, past_seconds: ever, future_seconds: none}",
            "timestamp.past_seconds"
        ),
        (
            "signed: [body]",
            "signed: [body, timestamp]\ntimestamp: {header: t, unit: seconds, past_seconds: 9, future_seconds: wide}",
            "timestamp.future_seconds"
        ),
        ("signed: [body]", "signed: [body]\ncredential: {header: x, kind: bearer}", "credential"),
        ("secrets: [utf8]", "secrets: [utf8, base64]", "secrets"), ("secrets: [utf8]", "secrets: [token]", "secrets"),
        ("content_types: [application/json]", "content_types: []", "content_types"),
        ("equal_deliveries: merge", "equal_deliveries: maybe", "equal_deliveries"),
        ("success: 200", "success: 200, reject_form: soap", "response.reject_form"),
        ("handshakes: []", "handshakes: [{accept_ping: {}}]", "handshakes[0].accept_ping.when"),
        ("handshakes: []", "handshakes: [{dance: {}}]", "handshakes[0].accept_ping"),
        ("handshakes: []", "handshakes: [{echo_get: {header: x}}]", "handshakes[0].echo_get.member"),
        ("encoding: hex", "encoding: hex, signed: [method]", "body"),
    ])
    func `a contradiction is refused with its field`(old: String, new: String, field: String) {
        let error = #expect(throws: SigningProfileError.self) { try Self.profile([(old, new)]) }
        #expect(error?.field == field)
    }

    @Test func `a MAC behind a prefix is a file`() async throws {
        let profile = try Self.profile()
        let secret = "It's a Secret to Everybody"
        let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        func judged(_ signature: String) async throws -> Verdict {
            try await verdict(
                profile,
                secret: secret,
                body: "Hello, World!",
                headers: [("x-hub-signature-256", signature)]
            )
        }
        #expect(isAccepted(try await judged(published)))
        #expect(isAccepted(try await judged("sha256=" + published.dropFirst(7).uppercased())))
        #expect(try await judged("SHA256=" + published.dropFirst(7)) == .refused(.signatureMalformed))
        #expect(try await judged(String(published.dropFirst(7))) == .refused(.signatureMalformed))
        #expect(try await judged(published + "0") == .refused(.signatureMalformed))
        #expect(try await judged("sha256=" + String(repeating: "0", count: 64)) == .refused(.signatureWrong))
    }

    @Test func `an unsigned id does not change what is a repetition`() async throws {
        let profile = try Self.profile()
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        func judged(_ delivery: String) async throws -> Verdict {
            try await verdict(
                profile,
                secret: "It's a Secret to Everybody",
                body: "Hello, World!",
                headers: [("X-Hub-Signature-256", signature), ("X-GitHub-Delivery", delivery)]
            )
        }
        #expect(try await judged("1") == judged("2"))
        #expect(isAccepted(try await judged("1")))
    }

    /// The derived vectors of the research: the construction that the senders document, not yet confirmed by them.
    private static let derived =
        #"{"type":"employee.updated","timestamp":"2026-01-31T18:42:00+0000","data":{"companyId":"12345","employeeId":"67890","changedFields":["department"]}}"#

    @Test(arguments: [
        ("[{header: X-Stamp}, body]", "hmac-sha256, encoding: hex", nil),
        (
            "[body, {header: X-Stamp}]", "hmac-sha256, encoding: hex",
            "b5b9ebf0cff4fa9eaf8e4f1285ab2a91c04136cc35e5106b965786009cb456d6"
        ),
        (
            "[body]", "hmac-sha512, encoding: base64",
            "iFKjWBeZbWG2Z7GpWrmFauoUa1I3PEJDHtqE0+QL9teE+4VmaNaF8Llb1bfPezHsv7ABsioW42nE4El3d6qpxw=="
        ),
        ("[body]", "hmac-sha256, encoding: hex", "ca5c09509c2b85d49c125b4ae7b7b3048d9545963d2463eec1f35b5f660012b4"),
        (
            "[method, body]", "hmac-sha256, encoding: hex",
            "7e07732e451d1349a1ec5597bb281a83bf0ea5674acb574a0e15bdb4f55fb479"
        ),
        ("[body]", "hmac-sha256, encoding: base64", "ylwJUJwrhdScEltK57ezBI2VRZY9JGPuwfNbX2YAErQ="),
        ("[body]", "hmac-sha256, encoding: base64url", "ylwJUJwrhdScEltK57ezBI2VRZY9JGPuwfNbX2YAErQ"),
    ])
    func `other constructions are files too`(signed: String, scheme: String, signature: String?) async throws {
        let profile = try Self.profile([
            ("signed: [body]", "signed: \(signed)"), ("hmac-sha256, encoding: hex", scheme),
            ("grammar: prefixed\n  prefix: \"sha256=\"", "grammar: raw"),
        ])
        let stamp = "2026-01-31T18:42:01+0000"
        let headers = [("X-Hub-Signature-256", signature ?? String(repeating: "0", count: 64)), ("X-Stamp", stamp)]
        let judged = try await verdict(profile, secret: "test_secret_do_not_use", body: Self.derived, headers: headers)
        #expect(isAccepted(judged) == (signature != nil))
    }

    @Test func `pairs carry time and signatures in one header`() async throws {
        let profile = try Self.profile([
            ("grammar: prefixed\n  prefix: \"sha256=\"", "grammar: pairs"),
            ("algorithm: hmac-sha256", "tag: v1, algorithm: hmac-sha256"),
            (
                "signed: [body]",
                "signed: [timestamp, {literal: .}, body]\ntimestamp: {pair: t, unit: seconds, past_seconds: 300, future_seconds: 300}"
            ),
        ])
        let time: Int64 = 1_767_225_600
        let good = "v1=d663e54e4943db20fc2fc6b36b17fdb527df7374e01c6f9c6abf8b6c2ffbe378"
        func judged(_ header: String, at seconds: Int64? = nil) async throws -> Verdict {
            try await verdict(
                profile,
                secret: "test_secret_do_not_use",
                body: Self.derived,
                headers: [("X-Hub-Signature-256", header)],
                at: seconds ?? time
            )
        }
        #expect(isAccepted(try await judged("t=\(time),\(good)")))
        #expect(isAccepted(try await judged("t=\(time), v1=\(String(repeating: "0", count: 64)), \(good), v0=x")))
        #expect(try await judged("t=\(time),\(good)", at: time + 301) == .refused(.timestampTooOld))
        #expect(try await judged("t=\(time),t=\(time),\(good)") == .refused(.timestampRepeated))
        #expect(try await judged(good) == .refused(.timestampMissing))
        #expect(try await judged("t=\(time)") == .refused(.versionUnknown))
        #expect(try await judged("t=\(time);\(good)") == .refused(.timestampMalformed))
    }
}
