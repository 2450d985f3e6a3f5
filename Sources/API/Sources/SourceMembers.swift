import Domain
import Edge
import Foundation
import Storage
import Transparency

/// What members of a source may be.
enum SourceMembers {
    static let standardTimeZone = "UTC"

    static func mapping(_ name: String, in door: APIDoor) throws(EdgeError) -> String {
        guard door.mappings.contains(name) else {
            throw .invalid([.init("/mapping", "One of: \(door.mappings.sorted().joined(separator: ", ")).")])
        }
        return name
    }

    /// Dates without a zone are taken there, so it has to be one that this machine can compute.
    static func timeZone(_ name: String) throws(EdgeError) -> String {
        guard name == standardTimeZone || name.contains("/"), TimeZone(identifier: name) != nil else {
            throw .invalid([.init("/time_zone", "A name of the time zone database, such as Europe/Berlin, or UTC.")])
        }
        return name
    }

    /// Only of a profile whose deliveries are tokens: stated of another it would promise what nobody checks.
    static func tokenParties(
        _ issuers: [String]?,
        _ audiences: [String]?,
        of profile: SigningProfile?
    ) throws(EdgeError) -> TokenParties {
        for (texts, place) in [(issuers, "/token_issuers"), (audiences, "/token_audiences")] {
            guard let texts else { continue }
            guard profile?.carriesTokens ?? true else {
                throw .invalid([.init(place, "Deliveries of this profile are no tokens.")])
            }
            guard (1...TokenParties.most).contains(texts.count), texts.allSatisfy(TokenParties.isParty) else {
                throw .invalid([.init(place, "1 to \(TokenParties.most) texts that print, without blanks; or null.")])
            }
        }
        return TokenParties(issuers: issuers, audiences: audiences)
    }

    static func json(_ texts: [String]?) -> JSON { texts.map { .array($0.map { .string($0) }) } ?? .null }

    /// Only where there is something to decide: a profile whose proof covers the body needs no decision.
    static func acceptsUnproved(
        _ wanted: Bool,
        _ current: SourceView,
        in door: APIDoor
    ) throws(EdgeError) -> Bool {
        guard wanted, current.unprovedDecision == nil, door.profiles[current.profile]?.provesBody ?? false else {
            return wanted
        }
        throw .invalid([.init("/accept_unproved_bodies", "The proofs of this profile cover the body.")])
    }
}

extension SigningProfile {
    /// Whether the sender brings its key by a handshake, so that a source can begin without one.
    var bringsItsKey: Bool {
        handshakes.contains { if case .captureToken = $0 { true } else { false } }
    }

    /// What becomes of a second delivery that is equal to an earlier one.
    private var equalDeliveriesInWords: String {
        if tellsEqualsApart {
            return "What is signed tells two deliveries apart that say the same; a repetition has no effect."
        }
        let meaning =
            switch equalDeliveries {
            case .merge: "It is taken as one thing said twice"
            case .refetch: "It would be answered by asking the sender for the present state, which is not done yet"
            }
        return """
            This sender signs neither an id nor a time, so a second genuine delivery that is equal to an earlier one cannot \
            be told from a replay. \(meaning): it has no effect, also where a value went back to what it was. Each is \
            counted as `repeated` of the first.
            """
    }

    /// What an admin should know of how the sender is understood here.
    var expectations: JSON.Object {
        [
            "success_status": .integer(response.success), "reject_status": .integer(response.reject),
            "content_types": .array(contentTypes.map(JSON.string)), "proves_body": .bool(provesBody),
            "signs_time": .bool(hasSignedTime), "tells_equals_apart": .bool(tellsEqualsApart),
            "equal_deliveries": .string(equalDeliveriesInWords), "brings_its_key": .bool(bringsItsKey),
            "unconfirmed": .array(unconfirmed.map(JSON.string)),
        ]
    }
}

/// A key as it comes in a request.
struct NewKey: Decodable {
    var secret: String
    var label: String?
    var notBefore: Timestamp?
    var notAfter: Timestamp?

    enum CodingKeys: String, CodingKey {
        case secret, label
        case notBefore = "not_before"
        case notAfter = "not_after"
    }

    /// Refuses a secret that is none of the profile's forms, by the pointer of the key and never by its text.
    func checked(for profile: SigningProfile, at pointer: String) throws(EdgeError) -> NewSourceKey {
        do throws(SigningKeyError) {
            _ = try SigningKey(secret: secret, forms: profile.secretForms, notBefore: notBefore, notAfter: notAfter)
        } catch {
            let member = error == .windowIsEmpty ? "not_after" : "secret"
            throw .invalid([.init("\(pointer)/\(member)", "This cannot be: \(error).")])
        }
        return NewSourceKey(
            secret: HiddenText(secret),
            label: try label.map { text throws(EdgeError) in try Texts.name(text, at: "\(pointer)/label") },
            notBefore: notBefore,
            notAfter: notAfter
        )
    }
}

extension SourceKeyView {
    var json: JSON.Object {
        [
            "id": .string(id.description), "label": label.map(JSON.string) ?? .null, "not_before": .orNull(notBefore),
            "not_after": .orNull(notAfter), "last_used_at": .orNull(lastUsedAt),
            "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    private static let status = Schema.word(of: SourceStatus.allCases.map(\.rawValue))
    private static let timeZone = Schema.string(length: 1...64).described(
        "A name of the time zone database; for dates without a zone."
    )

    static let sourceKey = Schema.object([
        ("id", .id("key")), ("label", .name.orNull), ("not_before", .time.orNull), ("not_after", .time.orNull),
        ("last_used_at", .time.orNull.described("When a delivery was last verified with it, to the minute.")),
        ("created_at", .time),
    ]).named("SourceKey", example: sourceKeyExample)

    private static let expectations = Schema.object([
        ("success_status", .integer(from: 200, to: 299)), ("reject_status", .integer(from: 400, to: 499)),
        ("content_types", .array(of: .string)),
        ("proves_body", .boolean.described("False: events are held until accept_unproved_bodies is set.")),
        ("signs_time", .boolean.described("False: only the memory of what was received stops a replay.")),
        ("tells_equals_apart", .boolean.described("False: a second, equal delivery has no effect, and is counted.")),
        ("equal_deliveries", .string.described("What becomes of a second delivery that is equal, in words.")),
        ("brings_its_key", .boolean.described("True: a handshake brings a key, which an admin confirms.")),
        ("unconfirmed", .array(of: .string).described("Facts of the profile that no vendor has confirmed.")),
    ])

    /// Of a profile or mapping.
    private static let fileName = Schema.string(length: 1...64, matching: "^[a-z0-9-]+$")

    private static let acceptUnproved = Schema.boolean.described(
        "Whether events of bodies that no proof covers are applied. Setting it releases those that are held."
    )

    private static let parties = Schema.array(of: .string(length: 1...256), most: TokenParties.most).orNull
    private static let tokenIssuers = parties.described(
        "One of them has to be the iss of a pushed token; null: any. Of profiles whose deliveries are tokens."
    )
    private static let tokenAudiences = parties.described(
        "The aud of a pushed token has to hold one of them; null: any. Of profiles whose deliveries are tokens."
    )

    static let source = Schema.object([
        ("id", .id("src")), ("url", .uri.described("Where the HR system posts to.")), ("slug", .slug),
        ("profile", .string), ("expects", expectations.orNull), ("mapping", .string), ("time_zone", timeZone),
        ("status", status.described("paused: deliveries are kept, their events wait. disabled: 410.")),
        ("ip_allow_list", .ipAllowList), ("accept_unproved_bodies", acceptUnproved),
        ("unproved_bodies_accepted_by", .id("usr").orNull), ("unproved_bodies_accepted_at", .time.orNull),
        ("token_issuers", tokenIssuers), ("token_audiences", tokenAudiences),
        ("cautions", .array(of: .string).described("What its admin should still state, in words.")),
        ("user", .id("usr").described("As which its changes are attributed.")), ("keys", .array(of: sourceKey)),
        ("key_used_last", .id("key").orNull.described("The key that a delivery was verified with last.")),
        ("created_at", .time), ("updated_at", .time),
    ]).named(
        "Source",
        example: [
            "id": "src_3v9hd0c2rb6nrzx5w4mqf7y8ae",
            "url": "https://rollcall.example/hooks/src_3v9hd0c2rb6nrzx5w4mqf7y8ae",
            "slug": "hr", "profile": "standard-webhooks",
            "expects": [
                "success_status": 202, "reject_status": 401, "content_types": ["application/json"],
                "proves_body": true, "signs_time": true, "tells_equals_apart": true,
                "equal_deliveries":
                    "What is signed tells two deliveries apart that say the same; a repetition has no effect.",
                "brings_its_key": false, "unconfirmed": [],
            ],
            "mapping": "canonical", "time_zone": "Europe/Berlin", "status": "active",
            "ip_allow_list": ["192.0.2.0/24"], "accept_unproved_bodies": false,
            "unproved_bodies_accepted_by": .null, "unproved_bodies_accepted_at": .null,
            "token_issuers": .null, "token_audiences": .null, "cautions": [],
            "user": "usr_01k9qyc5qje1qsv9svhrqgc8d0", "keys": [sourceKeyExample],
            "key_used_last": "key_01k9qyc5qje1qsv9svhrqgc8d6",
            "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z",
        ]
    )

    static let newSourceKey = Schema.object(
        [("secret", .string(length: 1...1024).described("As the sender shows it; never shown again."))],
        optional: [("label", .name.orNull), ("not_before", .time.orNull), ("not_after", .time.orNull)]
    ).named("NewSourceKey", example: newKeyExample)

    static let sourceKeyChange = Schema.object(
        optional: [("label", .name.orNull), ("not_before", .time.orNull), ("not_after", .time.orNull)]
    ).named("SourceKeyChange", example: ["not_after": "2026-12-01T00:00:00Z"])

    static let newSource = Schema.object(
        [("slug", .slug), ("profile", fileName), ("mapping", fileName)],
        optional: [
            (
                "keys",
                .array(of: newSourceKey, most: SourceKeyAddition.mostKeys)
                    .described("At least one, unless the sender brings its key by a handshake.")
            ), ("time_zone", timeZone.orNull), ("ip_allow_list", .ipAllowList),
            ("token_issuers", tokenIssuers), ("token_audiences", tokenAudiences),
        ]
    ).named(
        "NewSource",
        example: [
            "slug": "hr", "profile": "standard-webhooks", "mapping": "canonical", "time_zone": "Europe/Berlin",
            "keys": [newKeyExample],
        ]
    )

    static let sourceChange = Schema.object(
        optional: [
            ("slug", .slug), ("mapping", fileName), ("time_zone", timeZone), ("status", status),
            ("ip_allow_list", .ipAllowList), ("accept_unproved_bodies", acceptUnproved),
            ("token_issuers", tokenIssuers), ("token_audiences", tokenAudiences),
        ]
    ).named("SourceChange", example: ["status": "paused"])

    static let pendingKey = Schema.object([
        ("id", .id("key")), ("received_at", .time), ("client_ip", .string.orNull),
        ("fingerprint", .string.described("The first eight hex digits of its SHA-256.")),
        ("revealed_at", .time.orNull.described("When an admin looked at it.")),
    ]).named("PendingKey", example: .object(pendingKeyExample))

    static let revealedKey = Schema.object([
        ("id", .id("key")), ("received_at", .time), ("client_ip", .string.orNull), ("fingerprint", .string),
        ("revealed_at", .time), ("secret", .string.described("For this one time.")),
    ]).named(
        "RevealedKey",
        example: .object(
            pendingKeyExample.merged(with: [
                "revealed_at": "2026-11-21T09:05:00Z", "secret": "example-not-a-secret",
            ])
        )
    )

    private static let pendingKeyExample: JSON.Object = [
        "id": "key_01k9qyc5qje1qsv9svhrqgc8d6", "received_at": "2026-11-21T09:00:00Z", "client_ip": "192.0.2.7",
        "fingerprint": "9f86d081", "revealed_at": .null,
    ]

    static let confirmedKey = Schema.object([
        ("id", .id("key")), ("label", .name.orNull), ("not_before", .time.orNull), ("not_after", .time.orNull),
        ("last_used_at", .time.orNull), ("created_at", .time),
        ("secret", .string.described("For this one time: some senders have the operator repeat it to them.")),
    ]).named(
        "ConfirmedKey",
        example: [
            "id": "key_01k9qyc5qje1qsv9svhrqgc8d6", "label": "handshake", "not_before": .null, "not_after": .null,
            "last_used_at": .null, "created_at": "2026-11-21T09:00:00Z", "secret": "example-not-a-secret",
        ]
    )

    private static let sourceKeyExample: JSON = [
        "id": "key_01k9qyc5qje1qsv9svhrqgc8d6", "label": "2026", "not_before": .null, "not_after": .null,
        "last_used_at": "2026-11-21T09:14:00Z", "created_at": "2026-11-21T09:00:00Z",
    ]
    private static let newKeyExample: JSON = [
        "secret": "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGU=", "label": "2026",
    ]
}
