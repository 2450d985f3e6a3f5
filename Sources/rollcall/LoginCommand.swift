import App
import ArgumentParser
import Domain
import Subprocess
import Transparency

struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Sign in with a browser, for all commands that talk to that server.",
        discussion: """
            What comes of it is kept in XDG_STATE_HOME/rollcall (else ~/.local/state/rollcall), readable by you alone, \
            and refreshed by itself. A token that is given by option or environment wins over it.

            EXAMPLES
              rollcall login --url https://rollcall.example --organization acme
              rollcall login --url https://rollcall.example --no-browser
            """
    )

    @Option(help: ArgumentHelp("Base URL of the server. Else ROLLCALL_URL.", valueName: "url")) var url: String?
    @Option(help: ArgumentHelp("Home of a `rollcall dev`. Else ROLLCALL_HOME.", valueName: "directory"))
    var home: String?
    @Option(help: ArgumentHelp("Slug of the organization to sign in at.", valueName: "slug")) var organization: String?
    @Flag(help: "Print the address to open, and open nothing.") var noBrowser = false

    func run() async throws {
        guard let base = try ConnectionOptions.baseURL(url: url, home: home).map(ConnectionOptions.plain) else {
            throw CommandFailure(.usage, "no server: give --url or --home, or set ROLLCALL_URL")
        }
        guard let store = StoredSignIns.standard else {
            throw CommandFailure(.usage, "no place for the sign-in: set HOME or XDG_STATE_HOME")
        }
        let requests = TokenRequests()
        let server = try Endpoints(try await requests.metadata(of: base), of: base)
        let randomness = SystemRandomness()
        let state = Base64.url.encode(randomness.bytes(32))
        let verifier = Base64.url.encode(randomness.bytes(32))
        let query: [(String, String)] = [
            ("response_type", "code"), ("client_id", CommandLineClient.name), ("state", state),
            ("code_challenge", CodeChallenge.of(verifier).description), ("code_challenge_method", "S256"),
        ]
        let hint = organization.map { [("organization", $0)] } ?? []
        let redirects = Redirects()
        let answer = try await LoopbackListener.answer(at: CommandLineClient.redirectPath, state: state) { port in
            let redirect = "http://127.0.0.1:\(port)" + CommandLineClient.redirectPath
            await redirects.set(redirect)
            let members = query + [("redirect_uri", redirect)] + hint
            let text = members.map { $0.0 + "=" + URLText.escaped($0.1) }.joined(separator: "&")
            await open(server.authorize + "?" + text)
        }
        let code = try Self.code(in: answer, from: base)
        let tokens = try await requests.tokens(
            at: server.token,
            [
                ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", await redirects.value),
                ("code_verifier", verifier),
            ]
        )
        let user = try await requests.userInfo(at: server.userInfo, access: tokens.access)
        let signIn = StoredSignIn(
            url: base,
            tokenEndpoint: server.token,
            revocationEndpoint: server.revoke,
            organization: user["organization_slug"]?.string ?? "",
            username: user["username"]?.string ?? "",
            access: tokens.access,
            refresh: tokens.refresh,
            expiresAt: SystemClock().now() + tokens.lifetime
        )
        try await store.change(at: base) { (_: StoredSignIn?) async throws(CommandFailure) -> StoredSignIn? in signIn }
        Output.note(TerminalText.lines("signed in at \(base) as \(signIn.username) of \(signIn.organization)"))
    }

    /// Checks who answered (RFC 9207) and what.
    private static func code(in answer: [String: String], from issuer: String) throws(CommandFailure) -> String {
        guard answer["iss"] == issuer else { throw CommandFailure(.failure, "the answer came from another server") }
        if let error = answer["error"] {
            let told = TerminalText.lines(answer["error_description"] ?? error)
            throw CommandFailure(error == "access_denied" ? .forbidden : .failure, "not signed in: \(told)")
        }
        guard let code = answer["code"] else { throw CommandFailure(.failure, "the answer holds no code") }
        return code
    }

    private func open(_ address: String) async {
        guard !noBrowser else { return Output.note("Open this address in a browser of this machine:\n\(address)") }
        Output.note("A browser opens. If it does not, open this address:\n\(address)")
        // Where no browser opens, the address stands there to be opened by hand.
        _ = try? await Subprocess.run(
            .name("xdg-open"),
            arguments: [address],
            output: .discarded,
            error: .discarded
        )
    }

    /// The redirect that was made up with the port.
    private actor Redirects {
        private(set) var value = ""
        func set(_ redirect: String) { value = redirect }
    }

    /// Where a server wants to be asked; all of it its own.
    private struct Endpoints {
        let authorize: String
        let token: String
        let revoke: String
        let userInfo: String

        init(_ metadata: JSON, of base: String) throws(CommandFailure) {
            func endpoint(_ name: String) throws(CommandFailure) -> String {
                guard let text = metadata[name + "_endpoint"]?.string, text.hasPrefix(base + "/") else {
                    throw CommandFailure(.failure, "\(base) names no \(name) endpoint of its own")
                }
                return text
            }
            authorize = try endpoint("authorization")
            token = try endpoint("token")
            revoke = try endpoint("revocation")
            userInfo = try endpoint("userinfo")
        }
    }
}

struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "End a sign-in, here and at the server.",
        discussion: """
            EXAMPLES
              rollcall logout
              rollcall logout --url https://rollcall.example
            """
    )

    @Option(help: ArgumentHelp("Base URL of the server; the only one by default.", valueName: "url")) var url: String?

    func run() async throws {
        guard let store = StoredSignIns.standard, let known = try Self.signIn(url, in: store) else {
            throw CommandFailure(.notFound, "there is no sign-in\(url.map { " at " + $0 } ?? "")")
        }
        // Forgotten here whatever the server says: who leaves a machine may have no way to it.
        try await store.change(at: known.url) { (_: StoredSignIn?) async throws(CommandFailure) -> StoredSignIn? in nil
        }
        do throws(CommandFailure) {
            try await TokenRequests().revoke(known.refresh, at: known.revocationEndpoint)
        } catch {
            throw CommandFailure(
                .partial,
                "forgotten here, but not ended at \(known.url) (\(error.message)): end it there in your profile"
            )
        }
        Output.note(TerminalText.lines("signed out at \(known.url)"))
    }

    private static func signIn(_ url: String?, in store: StoredSignIns) throws(CommandFailure) -> StoredSignIn? {
        if let url { return try store.at(ConnectionOptions.plain(url)) }
        let all = try store.all()
        guard all.count <= 1 else {
            throw CommandFailure(
                .usage,
                "signed in at several, choose by --url: " + all.map(\.url).joined(separator: " ")
            )
        }
        return all.first
    }
}
