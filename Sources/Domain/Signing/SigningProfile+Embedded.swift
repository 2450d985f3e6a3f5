extension SigningProfile {
    /// The profiles that the program carries, by name: every file of Profiles/. Read once.
    package static func embedded() throws(SigningProfileError) -> [String: SigningProfile] { try carried.get() }

    private static let carried = Result { () throws(SigningProfileError) in
        var profiles: [String: SigningProfile] = [:]
        for (file, text) in EmbeddedFiles.profiles {
            let profile = try SigningProfile(yaml: text, file: file)
            profiles[profile.name] = profile
        }
        return profiles
    }
}
