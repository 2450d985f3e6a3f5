import Domain
import Testing

@Suite struct `Redirect URIs` {
    @Test(arguments: [
        "https://app.example/callback", "https://app.example", "https://app.example:8443/cb?tenant=1",
        "http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "http://[::1]:51004/cb", "http://localhost:3000/cb",
        "com.example.app:/callback",
    ])
    func `what may be registered`(text: String) {
        #expect(RedirectURI(text)?.description == text)
    }

    @Test(arguments: [
        "", "app.example/cb", "http://app.example/cb", "https://user@app.example/cb", "https://user:pw@app.example/cb",
        "https://app.example/cb#fragment", "https://App.example/cb", "HTTPS://app.example/cb", "https:///cb",
        "https://app.example\\@evil.example/cb", "https://app.example/a/../cb", "https://app.example/..",
        "javascript:alert(1)", "data:text/html,hi", "https://app.example/c b", "https://app.example:0/cb",
        "https://app.example:99999/cb", "https://app.example:/cb", "https://\u{E9}xample.example/cb",
        "https://app.example/<script>", "http://127.0.0.1@evil.example/cb", "http://127.0.0.1.evil.example/cb",
        "https:app.example/cb", "//app.example/cb", "https://app%2eexample/cb",
    ])
    func `what could be taken for another place may not`(text: String) {
        #expect(RedirectURI(text) == nil)
    }

    @Test(arguments: [
        "https://app.example/callback/", "https://app.example/Callback", "https://app.example/callback/extra",
        "https://app.example/callbac", "https://app.example/callback?x=1", "https://app.example:443/callback",
        "https://app.example/%63allback", "https://app.example.evil.example/callback", "http://app.example/callback",
        "https://app.example/callback#", "https://APP.example/callback", "https://app.example//callback",
    ])
    func `nothing but the same characters matches`(asked: String) throws {
        #expect(try #require(RedirectURI("https://app.example/callback")).matches("https://app.example/callback"))
        #expect(try !#require(RedirectURI("https://app.example/callback")).matches(asked))
    }

    @Test func `only a loopback address has any port`() throws {
        let registered = try #require(RedirectURI("http://127.0.0.1/cb"))
        #expect(registered.matches("http://127.0.0.1:51004/cb") && registered.matches("http://127.0.0.1:1/cb"))
        for other in [
            "http://127.0.0.1:51004/cb/", "http://[::1]:51004/cb", "http://localhost:51004/cb",
            "https://127.0.0.1:51004/cb", "http://127.0.0.1:51004/cb#x", "http://x@127.0.0.1:51004/cb",
        ] { #expect(!registered.matches(other), "\(other)") }
        #expect(try !#require(RedirectURI("http://localhost/cb")).matches("http://localhost:51004/cb"))
        #expect(try !#require(RedirectURI("https://app.example/cb")).matches("https://app.example:8443/cb"))
    }

    @Test func `a page's policy names where its form may lead`() throws {
        for (text, source) in [
            ("https://app.example:8443/cb?x=1", "https://app.example:8443"),
            ("http://127.0.0.1:51004/cb", "http://127.0.0.1:51004"),
            ("com.example.app:/cb", "com.example.app:"),
        ] { #expect(try #require(RedirectURI(text)).policySource == source) }
    }

    /// RFC 7636 appendix B.
    @Test func `the challenge of RFC 7636 holds, and no other verifier`() throws {
        let challenge = try #require(CodeChallenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        #expect(challenge.matches(verifier: verifier) && CodeChallenge.of(verifier) == challenge)
        for wrong in [String(verifier.dropLast()), verifier + "=", verifier.lowercased(), "", challenge.description] {
            #expect(!challenge.matches(verifier: wrong))
        }
        #expect(CodeChallenge("plain") == nil && CodeChallenge(challenge.description + "=") == nil)
    }
}
