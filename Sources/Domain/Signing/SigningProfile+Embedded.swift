extension SigningProfile {
    /// The profiles that the program carries, by name: every file of Profiles/.
    package static func embedded() throws(SigningProfileError) -> [String: SigningProfile] {
        var profiles: [String: SigningProfile] = [:]
        for (file, text) in EmbeddedFiles.profiles {
            let profile = try SigningProfile(yaml: text, file: file)
            profiles[profile.name] = profile
        }
        return profiles
    }
}
