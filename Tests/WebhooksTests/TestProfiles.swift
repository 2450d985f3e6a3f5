import Domain

/// Profiles of senders that exist in tests alone: every handshake at one, a secret that is sent along at the other.
enum TestProfiles {
    static func all() throws -> [String: SigningProfile] {
        var profiles = try SigningProfile.embedded()
        for (name, text) in [("shaking", shaking), ("bearing", bearing)] {
            profiles[name] = try SigningProfile(yaml: text, file: name + ".yaml")
        }
        return profiles
    }

    private static let shaking = """
        name: shaking
        title: Every handshake
        unconfirmed: [all of it]
        body: proved
        signature:
          header: x-signature
          grammar: raw
          schemes:
            - algorithm: hmac-sha256
              encoding: hex
        signed: [body]
        deduplication: signed-bytes
        equal_deliveries: merge
        secrets: [utf8]
        content_types: [application/json, text/plain]
        handshakes:
          - echo_get: {header: x-challenge, member: verification}
          - echo_post: {when: {field: /type, is: url_verification}, challenge: /challenge}
          - capture_token: {field: /verification_token}
          - accept_ping: {text: true}
          - accept_ping: {when: {field: /text, is: Ping test}}
        response: {success: 200, reject: 401, acknowledge_within_milliseconds: 3000}
        credentials: [authorization]
        """

    private static let bearing = """
        name: bearing
        title: A token that is the same on every request
        unconfirmed: []
        body: unproved
        credential: {header: authorization, kind: bearer}
        deduplication: signed-bytes
        equal_deliveries: merge
        secrets: [token]
        content_types: [application/json]
        handshakes: []
        response: {success: 204, reject: 401, acknowledge_within_milliseconds: 3000}
        credentials: [authorization]
        """
}
