extension SigningProfile {
    /// The files of Profiles/.
    private static let files: [(name: String, bytes: [UInt8])] = [
        ("standard-webhooks.yaml", PackageResources.standard_webhooks_yaml)
    ]

    /// The profiles that the program carries, by name.
    package static func embedded() throws(SigningProfileError) -> [String: SigningProfile] {
        var profiles: [String: SigningProfile] = [:]
        for (file, bytes) in files {
            let profile = try SigningProfile(yaml: String(decoding: bytes, as: UTF8.self), file: file)
            profiles[profile.name] = profile
        }
        return profiles
    }
}
