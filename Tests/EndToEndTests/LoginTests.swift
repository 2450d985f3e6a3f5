import Foundation
import HTTPTypes
import Postgres
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// `rollcall login` and `logout`, with somebody's browser played by requests.
    @Suite struct Login {
        @Test func `a sign-in serves every command, is refreshed, and ends here and there`() async throws {
            try await Development.with("login") { development in
                let environment = ["XDG_STATE_HOME": development.home + "-state"]
                let path = development.home + "-state/rollcall/sign-ins.json"
                #expect(try await whoami(environment).status == 2)
                try await login(development, environment)
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o600)
                let first = try stored(path)
                #expect(first["url"]?.string == development.baseURL && first["organization"] == "acme")
                let seen = try await whoami(environment)
                #expect(seen.status == 0 && seen.stdout.contains("admin@acme.example"), "\(seen.stderr)")
                #expect(!seen.stdout.contains("rca_") && !seen.stderr.contains("rcr_"))
                // A token that is given wins.
                let other = environment.merging(["ROLLCALL_TOKEN": "rcp_nothing"]) { $1 }
                #expect(try await whoami(other).status == 4)
                try expire(path)
                #expect(try await whoami(environment).status == 0)
                let second = try stored(path)
                #expect(second["refresh_token"] != first["refresh_token"])
                let apps = try await Program.run(["app", "list", "-o", "json"], environment: environment)
                #expect(apps.stdout.contains("built_in"), "and is an app of the organization")
                try await readableByOthers(path, environment)
                #expect(try await Program.run(["logout"], environment: environment).status == 0)
                let left = try JSON.parse(text: String(contentsOfFile: path, encoding: .utf8))
                #expect(left["sign_ins"] == [])
                let ended = try await development.bearer(second["access_token"]?.string).get("/v1/whoami")
                #expect(ended.status == 401)
                let again = try await Program.run(["whoami", "--url", development.baseURL], environment: environment)
                #expect(again.status == 4 && again.stderr.contains("rollcall login"))
                #expect(try await Program.run(["logout"], environment: environment).status == 3)
            }
        }

        @Test func `two programs that refresh at once use one refresh token, and both go on`() async throws {
            try await Development.with("login-twice") { development in
                let environment = ["XDG_STATE_HOME": development.home + "-state"]
                let path = development.home + "-state/rollcall/sign-ins.json"
                try await login(development, environment)
                let count = "SELECT count(*) AS n FROM tokens WHERE kind = 'refresh'" as SQL
                for _ in 0..<3 {
                    let before = try await development.number(count)
                    try expire(path)
                    async let one = whoami(environment)
                    async let two = whoami(environment)
                    for run in [try await one, try await two] {
                        #expect(run.status == 0 && run.stdout.contains("admin@acme.example"), "\(run.stderr)")
                    }
                    #expect(
                        try await development.number(count) == before + 1,
                        "the second found what the first brought"
                    )
                }
                #expect(try await whoami(environment).status == 0)
                let ended = "SELECT count(*) AS n FROM tokens WHERE kind = 'refresh' AND revoked_at IS NOT NULL" as SQL
                #expect(try await development.number(ended) == 0)
            }
        }

        @Test func `a browser is opened at the server's address, once, and nothing of it is a secret`() async throws {
            try await Development.with("login-open") { development in
                let folder = development.home + "-bin"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                let script = "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" >>'\(development.home)-opened'\n"
                try script.write(toFile: folder + "/xdg-open", atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/xdg-open")
                let words = "login --url \(development.baseURL) --organization acme"
                let line =
                    "PATH='\(folder)':\"$PATH\" setsid '\(Program.path)' \(words) "
                    + ">>'\(development.home)-open.out' 2>>'\(development.home)-open.err' </dev/null & echo $!"
                let environment = ["XDG_STATE_HOME": development.home + "-state"]
                let launched = try await Program.shell(line, environment: environment)
                let process = try #require(Int32(launched.stdout.trimmingCharacters(in: .whitespacesAndNewlines)))
                let opened = try await lines(of: development.home + "-opened", atLeast: 2)
                #expect(opened.count == 2 && opened[0] == "1")
                #expect(opened[1].hasPrefix(development.baseURL + "/oauth/authorize?"))
                #expect(opened[1].contains("organization=acme") && opened[1].contains("code_challenge_method=S256"))
                #expect(!opened[1].contains("rca_") && !opened[1].contains("code_verifier"))
                let told = try await lines(of: development.home + "-open.err", atLeast: 2)
                #expect(told.contains(opened[1]), "to be opened by hand where no browser comes")
                let answer = try await consent(to: opened[1], development)
                #expect(try await development.bearer(nil).get(answer).status == 200)
                let deadline = ContinuousClock.now + .seconds(60)
                while Processes.isAlive(process), ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(20))
                }
                #expect(try await whoami(environment).status == 0)
                #expect(try await lines(of: development.home + "-opened", atLeast: 2).count == 2)
            }
        }

        private func lines(of path: String, atLeast least: Int) async throws -> [String] {
            let deadline = ContinuousClock.now + .seconds(60)
            var lines: [String] = []
            while lines.count < least, ContinuousClock.now < deadline {
                // Not there until somebody writes it.
                let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
                lines = text.split(separator: "\n").map(String.init)
                if lines.count < least { try await Task.sleep(for: .milliseconds(20)) }
            }
            return lines
        }

        @Test func `what was ended at the server asks for a sign-in`() async throws {
            try await Development.with("login-end") { development in
                let environment = ["XDG_STATE_HOME": development.home + "-state"]
                try await login(development, environment)
                try await development.rows("UPDATE authorizations SET status = 'ended', ended_at = now()")
                try expire(development.home + "-state/rollcall/sign-ins.json")
                let refused = try await whoami(environment)
                #expect(refused.status == 4 && refused.stderr.contains("is over"), "\(refused.stderr)")
                #expect(!refused.stderr.contains("rcr_"))
            }
        }

        // MARK: Steps

        private func whoami(_ environment: [String: String]) async throws -> Program.Run {
            try await Program.run(["whoami"], environment: environment)
        }

        private func stored(_ path: String) throws -> JSON {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return try #require(try JSON.parse(text: text)["sign_ins"]?.array?.first)
        }

        /// As if an hour had passed.
        private func expire(_ path: String) throws {
            let expiry = try #require(try stored(path)["expires_at"]?.string)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let aged = text.replacing(expiry, with: "2026-01-01T00:00:00Z")
            try aged.write(toFile: path, atomically: false, encoding: .utf8)
        }

        private func readableByOthers(_ path: String, _ environment: [String: String]) async throws {
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            let refused = try await whoami(environment)
            #expect(refused.status == 1 && refused.stderr.contains("others may read"))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }

        private func login(_ development: Development, _ environment: [String: String]) async throws {
            let words = ["login", "--url", development.baseURL, "--organization", "acme", "--no-browser"]
            let process = try await development.launch("login", words, environment: environment)
            let said = development.home + "-login.err"
            let deadline = ContinuousClock.now + .seconds(60)
            var address: String?
            while address == nil, ContinuousClock.now < deadline {
                let text = (try? String(contentsOfFile: said, encoding: .utf8)) ?? ""
                address = text.split(separator: "\n").first { $0.hasPrefix(development.baseURL) }.map(String.init)
                try await Task.sleep(for: .milliseconds(20))
            }
            let answer = try await consent(to: try #require(address), development)
            #expect(answer.hasPrefix("http://127.0.0.1:"))
            let outside = development.bearer(nil)
            // Somebody else's answer is passed over.
            let state = try #require(answer.range(of: "state="))
            let foreign = answer.replacingCharacters(in: state, with: "state=x")
            #expect(try await outside.get(foreign).status == 400)
            #expect(try await outside.get(answer).status == 200)
            while Processes.isAlive(process), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            let told = try String(contentsOfFile: said, encoding: .utf8)
            #expect(told.contains("signed in at \(development.baseURL) as admin@acme.example of acme"), "\(told)")
            #expect(!told.contains("rca_") && !told.contains("rcr_"))
        }

        /// Where the browser is led once everything was allowed.
        private func consent(to address: String, _ development: Development) async throws -> String {
            let browser = development.bearer(nil)
            let organization = development.organization()
            var headers: HTTPFields = [
                .contentType: "application/x-www-form-urlencoded", .origin: development.baseURL, .accept: "text/html",
            ]
            let led = try await browser.send(.get, address, headers: [.accept: "text/html"])
            #expect(led.status == 303 && led.headers[.location]?.contains("organization=acme") == true)
            let form: [(String, String)] = [
                ("organization", "acme"), ("username", organization["admin_username"]?.string ?? ""),
                ("password", organization["admin_password"]?.string ?? ""), ("return_to", "/profile"),
            ]
            let signedIn = try await browser.send(.post, "/signin", headers: headers, body: Self.body(form))
            #expect(signedIn.status == 303)
            headers[.cookie] = signedIn.headers[.setCookie].map { String($0.prefix { $0 != ";" }) }
            let page = try await browser.send(
                .get,
                address,
                headers: [.cookie: headers[.cookie] ?? "", .accept: "text/html"]
            )
            #expect(page.status == 200 && page.text.contains("The rollcall command line"))
            let members =
                [("form_token", Self.hidden("form_token", in: page.text)), ("decision", "approve")]
                + ["request", "shown"].map { ($0, Self.hidden($0, in: page.text)) }
            let approved = try await browser.send(.post, "/oauth/authorize", headers: headers, body: Self.body(members))
            #expect(approved.status == 303)
            return try #require(approved.headers[.location])
        }

        private static func body(_ members: [(String, String)]) -> [UInt8] {
            let text = members.map { name, value in
                name + "=" + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
            }
            return Array(text.joined(separator: "&").utf8)
        }

        private static func hidden(_ name: String, in page: String) -> String {
            let rest = page.components(separatedBy: "name=\"\(name)\" value=\"").dropFirst().first ?? ""
            return String(rest.prefix { $0 != "\"" }).replacing("&amp;", with: "&").replacing("&quot;", with: "\"")
        }
    }
}
