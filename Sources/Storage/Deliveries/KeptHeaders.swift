package import Domain
package import Transparency

/// Headers of a sender's request as they are kept.
package enum KeptHeaders {
    /// The headers with the values that the profile calls credentials as keyed digests; in their order.
    package static func digested(
        _ headers: [(name: String, value: String)],
        by profile: SigningProfile,
        under keyring: Keyring
    ) -> [(name: String, value: String)] {
        headers.map { name, value in
            (name, profile.isCredential(header: name) ? keyring.headerDigest(of: value) : value)
        }
    }

    /// Every value of a repeated one, by name.
    package static func object(_ headers: [(name: String, value: String)]) -> JSON.Object {
        var kept: JSON.Object = [:]
        for (name, value) in headers { kept[name] = .array((kept[name]?.array ?? []) + [.string(value)]) }
        return kept
    }
}
