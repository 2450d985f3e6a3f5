import Foundation

/// OpenSSL's `ts` behind a little HTTP server, with keys of its own.
struct PlayedTimestampAuthority: Sendable {
    let directory: String

    var certificate: String { directory + "/tsa.pem" }
    var issuer: String { directory + "/ca.pem" }

    private static let configuration = """
        [req]
        distinguished_name = dn
        prompt = no
        [dn]
        CN = Played time
        [ca]
        basicConstraints = critical,CA:TRUE
        keyUsage = critical,keyCertSign
        [stamps]
        basicConstraints = critical,CA:FALSE
        extendedKeyUsage = critical,timeStamping
        [tsa]
        default_tsa = t
        [t]
        serial = DIRECTORY/serial
        signer_cert = DIRECTORY/tsa.pem
        certs = DIRECTORY/ca.pem
        signer_key = DIRECTORY/tsa.key
        signer_digest = sha256
        default_policy = 1.2.3.4.1
        other_policies = 1.2.3.4.1
        digests = sha256
        ess_cert_id_alg = sha256
        """

    static func with(_ body: (PlayedTimestampAuthority) async throws -> Void) async throws {
        let directory = NSTemporaryDirectory() + "rollcall-tsa-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let authority = PlayedTimestampAuthority(directory: directory)
        try configuration.replacing("DIRECTORY", with: directory)
            .write(toFile: directory + "/cnf", atomically: true, encoding: .utf8)
        for line in [
            "ecparam -name prime256v1 -genkey -noout -out ca.key",
            "ecparam -name prime256v1 -genkey -noout -out tsa.key",
            "req -x509 -new -key ca.key -config cnf -extensions ca -days 30 -out ca.pem",
            "req -new -key tsa.key -config cnf -subj /CN=tsa -out tsa.csr",
            """
            x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile cnf -extensions stamps \
            -out tsa.pem
            """,
        ] where try !authority.openssl(line) { throw Failed(line: line) }
        try await body(authority)
    }

    struct Failed: Error { let line: String }

    /// The answer to a request, as it would come over HTTP.
    func answer(_ request: LocalHTTP.Request) -> LocalHTTP.Answer? {
        let name = UUID().uuidString
        do {
            try Data(request.body).write(to: URL(filePath: "\(directory)/\(name).tsq"))
            guard try openssl("ts -reply -config cnf -queryfile \(name).tsq -out \(name).tsr") else {
                return LocalHTTP.Answer(status: 500)
            }
            let body = Array(try Data(contentsOf: URL(filePath: "\(directory)/\(name).tsr")))
            return LocalHTTP.Answer(contentType: "application/timestamp-reply", body: body)
        } catch {
            return LocalHTTP.Answer(status: 500)
        }
    }

    /// Whether OpenSSL accepts the token as a stamp of these bytes.
    func accepts(_ token: [UInt8], of stamped: [UInt8]) throws -> Bool {
        try Data(token).write(to: URL(filePath: directory + "/token"))
        try Data(stamped).write(to: URL(filePath: directory + "/stamped"))
        return try openssl("ts -verify -token_in -in token -data stamped -CAfile ca.pem -untrusted tsa.pem")
    }

    /// False where it failed.
    private func openssl(_ line: String) throws -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + line.split(separator: " ").map { String($0) }
        process.currentDirectoryURL = URL(filePath: directory)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
