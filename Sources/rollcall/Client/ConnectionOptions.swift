import ArgumentParser
import Outbound

/// Where the server is and as whom to speak. An option wins over the environment.
struct ConnectionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Base URL of the server. Else ROLLCALL_URL.", valueName: "url"))
    var url: String?

    @Option(
        help: ArgumentHelp("File that holds the token. Else ROLLCALL_TOKEN or ROLLCALL_TOKEN_FILE.", valueName: "file")
    )
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "Home of a `rollcall dev`, read for URL and token. Else ROLLCALL_HOME.",
            valueName: "directory"
        )
    )
    var home: String?

    @Option(help: ArgumentHelp("With --home: the organization to speak in; the first by default.", valueName: "slug"))
    var organization: String?

    @Flag(help: "With --home: speak as its auditor, not as its admin.")
    var asAuditor = false

    func client() throws(CommandFailure) -> APIClient {
        let signIns = StoredSignIns.standard
        guard let base = try server(signIns) else {
            throw CommandFailure(.usage, "no server: give --url or --home, or set ROLLCALL_URL")
        }
        if let token = try token(development()) { return APIClient(base: base, token: token) }
        if let signIns, try signIns.at(Self.plain(base)) != nil { return APIClient(base: base, .signIn(signIns)) }
        throw CommandFailure(
            .signInNeeded,
            "no token: rollcall login, give --token-file or --home, or set ROLLCALL_TOKEN_FILE or ROLLCALL_TOKEN"
        )
    }

    private func server(_ store: StoredSignIns?) throws(CommandFailure) -> String? {
        if let given = try Self.baseURL(url: url, home: home) { return given }
        return try Self.signedIn(store)
    }

    /// The only server at which somebody is signed in.
    private static func signedIn(_ store: StoredSignIns?) throws(CommandFailure) -> String? {
        guard let all = try store?.all() else { return nil }
        return all.count == 1 ? all[0].url : nil
    }

    /// Without a slash at its end, as servers call themselves.
    static func plain(_ base: String) -> String { base.hasSuffix("/") ? String(base.dropLast()) : base }

    /// For what needs no token.
    static func baseURL(url: String?, home: String?) throws(CommandFailure) -> String? {
        if let url { return url }
        if let home { return try DevelopmentHome(home).baseURL }
        if let url = Environment["ROLLCALL_URL"] { return url }
        guard let home = Environment["ROLLCALL_HOME"] else { return nil }
        return try DevelopmentHome(home).baseURL
    }

    private func token(_ development: DevelopmentHome?) throws(CommandFailure) -> String? {
        if let tokenFile { return try TextInput.secret(from: tokenFile) }
        if home != nil, let development {
            return try development.token(organization: organization, asAuditor: asAuditor)
        }
        if let file = Environment["ROLLCALL_TOKEN_FILE"] { return try TextInput.secret(from: file) }
        if let token = Environment["ROLLCALL_TOKEN"] { return token }
        return try development?.token(organization: organization, asAuditor: asAuditor)
    }

    private func development() throws(CommandFailure) -> DevelopmentHome? {
        guard let directory = home ?? Environment["ROLLCALL_HOME"] else { return nil }
        return try DevelopmentHome(directory)
    }
}

/// What a command that talks to the API is given.
struct ClientOptions: ParsableArguments {
    @OptionGroup(title: "Server") var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
}
