import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let sourceVerification: [Operation] = [
        .act(
            "verifySource",
            "/v1/sources/{id}/verify",
            .scope(.sourcesWrite),
            .sourceRead,
            "Say whether a captured request is proved by a key of the source, and what was signed; nothing is kept of it",
            target: .source,
            body: .capturedRequest,
            mostBytes: CapturedRequest.mostBytes,
            answers: .examination
        ) { call in
            let captured: CapturedRequest = try call.decode()
            // In the caller's organization first: looking up a hook crosses organizations.
            let source = try await call.source()
            let request = try captured.request(at: "\(call.door.publicURL)/hooks/\(source.id)")
            guard let profile = call.door.profiles[source.profile]?.expecting(source.tokenParties) else {
                throw EdgeError.conflict(detail: "The source's profile \(source.profile) is not installed here.")
            }
            guard let hook = try await call.store.hook(source.id) else { throw EdgeError.notFound }
            let keys = try hook.keys.map { key in
                try SigningKey(
                    secret: key.secret.reveal(),
                    forms: profile.secretForms,
                    id: key.id,
                    label: key.label,
                    notBefore: key.notBefore,
                    notAfter: key.notAfter
                )
            }
            let examination = await Examination(
                of: request,
                profile: profile,
                receivedAt: captured.receivedAt ?? call.store.clock.now(),
                keys: keys
            )
            return .read(
                examination.json { $0.description },
                notes: ["verified": .bool(examination.isVerified), "bytes": .integer(request.body.count)]
            )
        }
    ]
}

/// One request of a sender, as somebody captured it.
private struct CapturedRequest: Decodable {
    struct Header: Decodable {
        var name: String
        var value: String
    }

    /// The largest body that a hook takes, in base64, and 160 KiB for whatever else there is: ten times the header that a
    /// connection takes.
    static let mostBytes = (HookRequest.mostBodyBytes + 2) / 3 * 4 + 160 * 1024

    var method: String?
    var url: String?
    var headers: [Header]
    var body: String
    var receivedAt: Timestamp?

    enum CodingKeys: String, CodingKey {
        case method, url, headers, body
        case receivedAt = "received_at"
    }

    /// Of a method, an address, a name and a value; what a hook takes is shorter.
    static let mostMethodCharacters = 32
    static let mostURLCharacters = 8192
    static let mostNameCharacters = 256
    static let mostValueCharacters = 16_384
    /// What a connection takes.
    static let mostHeaders = 100

    private func refuseUnbounded() throws(EdgeError) {
        guard (1...Self.mostMethodCharacters).contains(method?.unicodeScalars.count ?? 1) else {
            throw .invalid([.init("/method", "1 to \(Self.mostMethodCharacters) characters.")])
        }
        guard (1...Self.mostURLCharacters).contains(url?.unicodeScalars.count ?? 1) else {
            throw .invalid([.init("/url", "1 to \(Self.mostURLCharacters) characters.")])
        }
        guard headers.count <= Self.mostHeaders else {
            throw .invalid([.init("/headers", "\(Self.mostHeaders) at most.")])
        }
        for (place, header) in headers.enumerated() {
            guard (1...Self.mostNameCharacters).contains(header.name.unicodeScalars.count),
                header.value.unicodeScalars.count <= Self.mostValueCharacters
            else { throw .invalid([.init("/headers/\(place)", "A name and a value of bounded length.")]) }
        }
    }

    /// `hook`: where it was sent, if it does not say so itself.
    func request(at hook: String) throws(EdgeError) -> HookRequest {
        try refuseUnbounded()
        guard let bytes = Base64.standard.decode(body) else {
            throw .invalid([.init("/body", "base64 of the bytes as they came.")])
        }
        guard bytes.count <= HookRequest.mostBodyBytes else {
            throw .invalid([.init("/body", "More than the \(HookRequest.mostBodyBytes) bytes that a hook takes.")])
        }
        return HookRequest(
            method: method ?? "POST",
            url: url ?? hook,
            headers: headers.map { ($0.name, $0.value) },
            body: bytes
        )
    }
}

extension Schema {
    private static let header = Schema.object([
        ("name", .string(length: 1...CapturedRequest.mostNameCharacters)),
        ("value", .string(length: 0...CapturedRequest.mostValueCharacters)),
    ])

    fileprivate static let capturedRequest = Schema.object(
        [
            ("headers", .array(of: header, most: CapturedRequest.mostHeaders).described("In order, as they came.")),
            (
                "body",
                .base64(mostBytes: HookRequest.mostBodyBytes).described(
                    "base64 of the bytes as they came, at most 1 MiB of them."
                )
            ),
        ],
        optional: [
            ("method", .string(length: 1...CapturedRequest.mostMethodCharacters).orNull.described("POST by default.")),
            (
                "url",
                .string(length: 1...CapturedRequest.mostURLCharacters).orNull
                    .described("Absolute, as it was sent; the source's own by default.")
            ),
            ("received_at", .time.orNull.described("Against which signed times are judged; now by default.")),
        ]
    ).named(
        "CapturedRequest",
        example: [
            "headers": [
                ["name": "webhook-id", "value": "msg_p5jXN8AQM9LWM0D4loKWxJek"],
                ["name": "webhook-timestamp", "value": "1614265330"],
                ["name": "webhook-signature", "value": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="],
            ],
            "body": "eyJ0ZXN0IjogMjQzMjIzMjMxNH0=", "received_at": "2021-02-25T15:02:10Z",
        ]
    )

    fileprivate static let examination = Schema.object([
        ("verdict", .word(of: ["verified", "refused"])),
        ("reason", .string.orNull.described("Why it is refused: the word that the door answers and counts.")),
        ("explanation", .string.described("The verdict in words.")), ("profile", .string), ("received_at", .time),
        ("key", .id("key").orNull.described("The key that fits.")),
        ("scheme", .string.orNull.described("The scheme of the signature that fits, where there are several.")),
        ("signed_at", .time.orNull), ("message_id", .string.orNull.described("The sender's, where it is signed.")),
        ("body_proved", .boolean.orNull.described("Whether the proof covers the body.")),
        (
            "signed",
            .object([
                ("text", .string.described("What the first signature is about; what does not print is escaped.")),
                ("length", .integer().described("In bytes.")), ("sha256", .string.described("Of the bytes, in hex.")),
            ]).orNull.described("null where the request does not even say it.")
        ),
    ]).named(
        "Examination",
        example: [
            "verdict": "verified", "reason": .null, "explanation": "the proof fits", "profile": "standard-webhooks",
            "received_at": "2021-02-25T15:02:10Z", "key": "key_01k9qyc5qje1qsv9svhrqgc8d6", "scheme": "v1",
            "signed_at": "2021-02-25T15:02:10Z", "message_id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "body_proved": true,
            "signed": [
                "text": "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}", "length": 60,
                "sha256": "fd94dd7335dc2af74a2c07ebe09e9b6c1035bf38997d424067b10d3f7c00297c",
            ],
        ]
    )
}
