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
            "not_after": .orNull(notAfter), "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    private static let status = Schema.word(of: SourceStatus.allCases.map(\.rawValue))
    private static let timeZone = Schema.string.described("A name of the time zone database; for dates without a zone.")

    static let sourceKey = Schema.object([
        ("id", .id("key")), ("label", .name.orNull), ("not_before", .time.orNull), ("not_after", .time.orNull),
        ("created_at", .time),
    ]).named("SourceKey", example: sourceKeyExample)

    static let source = Schema.object([
        ("id", .id("src")), ("url", .uri.described("Where the HR system posts to.")), ("slug", .slug),
        ("profile", .string), ("mapping", .string), ("time_zone", timeZone), ("status", status),
        ("user", .id("usr").described("As which its changes are attributed.")), ("keys", .array(of: sourceKey)),
        ("created_at", .time), ("updated_at", .time),
    ]).named(
        "Source",
        example: [
            "id": "src_3v9hd0c2rb6nrzx5w4mqf7y8ae",
            "url": "https://rollcall.example/hooks/src_3v9hd0c2rb6nrzx5w4mqf7y8ae",
            "slug": "hr", "profile": "standard-webhooks", "mapping": "canonical", "time_zone": "Europe/Berlin",
            "status": "active", "user": "usr_01k9qyc5qje1qsv9svhrqgc8d0", "keys": [sourceKeyExample],
            "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z",
        ]
    )

    static let newSourceKey = Schema.object(
        [("secret", .string(length: 1...1024).described("As the sender shows it; never shown again."))],
        optional: [("label", .name.orNull), ("not_before", .time.orNull), ("not_after", .time.orNull)]
    ).named("NewSourceKey", example: newKeyExample)

    static let newSource = Schema.object(
        [
            ("slug", .slug), ("profile", .string), ("mapping", .string),
            ("keys", .array(of: newSourceKey, atLeast: 1, most: SourceKeyAddition.mostKeys)),
        ],
        optional: [("time_zone", timeZone.orNull)]
    ).named(
        "NewSource",
        example: [
            "slug": "hr", "profile": "standard-webhooks", "mapping": "canonical", "time_zone": "Europe/Berlin",
            "keys": [newKeyExample],
        ]
    )

    static let sourceChange = Schema.object(
        optional: [("slug", .slug), ("mapping", .string), ("time_zone", timeZone), ("status", status)]
    ).named("SourceChange", example: ["status": "paused"])

    private static let sourceKeyExample: JSON = [
        "id": "key_01k9qyc5qje1qsv9svhrqgc8d6", "label": "2026", "not_before": .null, "not_after": .null,
        "created_at": "2026-11-21T09:00:00Z",
    ]
    private static let newKeyExample: JSON = [
        "secret": "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGU=", "label": "2026",
    ]
}
