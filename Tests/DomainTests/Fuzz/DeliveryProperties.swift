import Domain
import Filter
import Transparency

/// What holds for every request that anybody can send, whatever its bytes.
///
/// An input is header lines, an empty line and a body. Every profile judges it with a key of its own, at one moment. Every
/// seed of the corpus signs the same body, so a proof that covers the body may be accepted with no other.
struct DeliveryProperties: Sendable {
    private let profiles: [(profile: SigningProfile, key: SigningKey)]
    /// By profile: what makes its seed.
    private let signers: [String: SigningKey]
    private let mappings: [Mapping]

    static let body = Array(
        """
        {"type": "mover", "token": "t-1", "person": {"externalId": "e-1", "title": "\\u00e9"}, "uuid": "u-1",
         "events": {"urn:ietf:params:scim:event:prov:create:full": {}}}
        """.utf8
    )
    static let moment = Timestamp(seconds: 1_795_251_600)
    private static let url = "https://rollcall.example/hooks/src_1?a=b"
    /// No secrets: whoever reads this file knows them. The first that is of one of a profile's forms is its key.
    private static let secrets: [(form: SigningProfile.SecretForm, text: String)] = [
        (.utf8, "test_secret_do_not_use"), (.whsec, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        (.token, "test_user:test_token_do_not_use"),
        (.base64, "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="),
        (.whsk, seed), (.whpk, "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="),
        (.ed25519, "ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="),
        (.base64Long, "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="),
        (.jwk, #"{"kty":"oct","k":"VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk"}"#),
        (
            .pem,
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=\n-----END PUBLIC KEY-----\n"
        ),
    ]
    /// Signs for the public keys among them.
    private static let seed = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="

    struct NoKey: Error { let profile: String }

    init() throws {
        var signers: [String: SigningKey] = [:]
        profiles = try SigningProfile.embedded().values.sorted { $0.name < $1.name }.map { profile in
            guard let secret = Self.secrets.first(where: { profile.secretForms.contains($0.form) }) else {
                throw NoKey(profile: profile.name)
            }
            let key = try SigningKey(secret: secret.text, forms: profile.secretForms)
            let isPublic = [.whpk, .ed25519, .pem].contains(secret.form)
            signers[profile.name] = isPublic ? try SigningKey(secret: Self.seed, forms: [.whsk]) : key
            return (profile, key)
        }
        self.signers = signers
        mappings = try Mapping.embedded().values.sorted { $0.name < $1.name }
    }

    /// A delivery of each profile as its sender would make it.
    func seeds() throws -> [(name: String, input: [UInt8])] {
        try profiles.map { profile, _ in
            let request = HookRequest(
                url: Self.url,
                headers: [("content-type", "application/json")],
                body: Self.body
            )
            let made = try SignatureMaker.sign(
                profile: profile,
                id: "msg_1",
                at: Self.moment,
                request: request,
                keys: [signers[profile.name]].compactMap(\.self)
            )
            let lines = (request.headers + made.headers).map { "\($0.name): \($0.value)\n" }.joined()
            return (profile.name, Array((lines + "\n").utf8) + made.body)
        }
    }

    /// What does not hold, in words; empty for every input if all is well.
    func violations(of input: [UInt8]) async -> [String] {
        let request = Self.request(input)
        var found: [String] = []
        for (profile, key) in profiles {
            found += await judged(request, by: profile, key).map { "\(profile.name): \($0)" }
        }
        found += json(input) + json(request.body) + filter(input)
        for mapping in mappings { found += mapped(request.body, by: mapping).map { "\(mapping.name): \($0)" } }
        return found
    }

    /// The profiles that accept the input, to see that a seed is one.
    func accepting(_ input: [UInt8]) async -> [String] {
        let request = Self.request(input)
        var names: [String] = []
        for (profile, key) in profiles {
            let verdict = await SignatureVerifier.verify(
                profile: profile,
                request: request,
                receivedAt: Self.moment,
                keys: [key]
            )
            if case .accepted = verdict { names.append(profile.name) }
        }
        return names
    }

    private static func request(_ input: [UInt8]) -> HookRequest {
        var headers: [(name: String, value: String)] = []
        var rest = input[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            guard !line.isEmpty else { break }
            let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
            let value = line[colon...].dropFirst().drop { $0 == 0x20 }
            headers.append((String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return HookRequest(url: url, headers: headers, body: Array(rest))
    }

    // MARK: What has to hold

    private func judged(
        _ request: HookRequest,
        by profile: SigningProfile,
        _ key: SigningKey
    ) async -> [String] {
        let verdict = await SignatureVerifier.verify(
            profile: profile,
            request: request,
            receivedAt: Self.moment,
            keys: [key]
        )
        // What is refused is refused by a reason; what it is, the vectors say.
        let signed = try? SignatureVerifier.signedBytes(profile: profile, request: request)
        let payload = try? profile.payload(of: request.body, headers: request.headers)
        guard case .accepted(let acceptance) = verdict else { return [] }
        var found: [String] = []
        if signed == nil { found.append("accepted what has no signed bytes") }
        if acceptance.bodyIsProved, !profile.provesBody { found.append("proves a body that the profile does not") }
        if acceptance.deduplication.count != 32 { found.append("cannot tell a repetition") }
        if acceptance.bodyIsProved, request.body != Self.body, !saysTheSame(payload) {
            found.append("accepted a body that nobody signed")
        }
        return found
    }

    /// A token is another body for the same claims.
    private func saysTheSame(_ payload: Payload?) -> Bool {
        guard case .json(let bytes)? = payload, let said = try? JSON.parse(bytes),
            let ours = try? JSON.parse(Self.body).object
        else { return false }
        return ours.members.allSatisfy { said[$0.key] == $0.value }
    }

    private func json(_ bytes: [UInt8]) -> [String] {
        guard let value = try? JSON.parse(bytes) else { return [] }
        var found: [String] = []
        if (try? JSON.parse(value.bytes)) != value { found.append("JSON reads back as another value") }
        if let canonical = try? value.canonical(), (try? JSON.parse(canonical).canonical()) != canonical {
            found.append("canonical JSON is no fixed point")
        }
        return found
    }

    private func filter(_ bytes: [UInt8]) -> [String] {
        guard let filter = try? Filter(String(decoding: bytes, as: UTF8.self)) else { return [] }
        // The normal form may be longer than what was read.
        let limits = Filter.Limits(bytes: .max, depth: Filter.Limits.deepest, terms: .max)
        return (try? Filter(filter.description, limits: limits)) == filter ? [] : ["a filter reads back as another"]
    }

    private func mapped(_ bytes: [UInt8], by mapping: Mapping) -> [String] {
        guard let reading = try? mapping.read(bytes) else { return [] }
        let count = reading.events.count + reading.refusals.count
        let isBounded = count <= CanonicalEvent.mostPerDelivery
        let isOrdered = zip(reading.events, reading.events.dropFirst()).allSatisfy { $0.ordinal < $1.ordinal }
        return (isBounded ? [] : ["more events than the bound"]) + (isOrdered ? [] : ["events out of order"])
    }
}
