import Foundation
import TestSupport
import Testing

/// `rollcall sign` and `rollcall verify` against each other, over files, as people use them.
@Suite struct `Captured deliveries` {
    /// The profiles that the program knows: one file each.
    private static let profiles: [String] = {
        let files = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }()
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Domain/Profiles")

    /// Whether the profile's file has that line.
    private static func says(_ line: String, _ profile: String) throws -> Bool {
        let file = folder.appending(path: profile + ".yaml")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").contains { $0.hasPrefix(line) }
    }

    private static let body = #"{"id":"ev-1","type":"employee.updated","token":"tok_9","events":{"urn:x":{"a":1}}}"#

    /// A key in one of the forms that the profile takes and can sign with.
    private static func key(of profile: String) throws -> String {
        for (form, key) in [
            ("whsec", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("whsk", "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="),
            ("base64", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ] {
            let file = folder.appending(path: profile + ".yaml")
            let forms = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
                .first { $0.hasPrefix("secrets: ") }
            if forms?.contains(form) ?? false { return key }
        }
        return "test_secret_do_not_use"
    }

    private struct Folder {
        let url = FileManager.default.temporaryDirectory.appending(path: "rollcall-verify-\(UUID())")

        func path(_ name: String) -> String { url.appending(path: name).path }
        func write(_ text: String, _ name: String) throws { try Data(text.utf8).write(to: url.appending(path: name)) }
    }

    private func withFolder(_ body: (Folder) async throws -> Void) async throws {
        let folder = Folder()
        try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder.url) }
        try await body(folder)
    }

    private func verify(_ profile: String, in folder: Folder) async throws -> Program.Run {
        try await Program.run([
            "verify", "--profile", profile, "--key-file", folder.path("key"), "--headers", folder.path("headers"),
            "--body", folder.path("sent"), "--url", "https://rollcall.example/hooks/x",
        ])
    }

    @Test(arguments: profiles)
    func `what sign makes verifies, and with another key or body it does not`(profile: String) async throws {
        try await withFolder { folder in
            try folder.write(try Self.key(of: profile) + "\n", "key")
            try folder.write(Self.body, "body")
            let signed = try await Program.run([
                "sign", "--profile", profile, "--key-file", folder.path("key"), "--body", folder.path("body"),
                "--body-out", folder.path("sent"), "--url", "https://rollcall.example/hooks/x",
                "--header", "host: rollcall.example", "--header", "content-type: application/json",
            ])
            #expect(signed.status == 0, "\(signed.stderr)")
            try folder.write(signed.stdout, "headers")
            let verified = try await verify(profile, in: folder)
            #expect(verified.status == 0, "\(verified.stdout)\(verified.stderr)")

            if try !Self.says("body: unproved", profile) {
                let sent = try String(contentsOfFile: folder.path("sent"), encoding: .utf8)
                try folder.write(String(sent.dropLast()) + " ", "sent")
                #expect(try await verify(profile, in: folder).status == 1)
                try folder.write(sent, "sent")
            }
            let other = try Self.key(of: profile).replacing("MfKQ9", with: "MfKQ8").replacing("VEVT", with: "VEVU")
                .replacing("test_", with: "another_")
            try folder.write(other, "key")
            #expect(try await verify(profile, in: folder).status == 1)
        }
    }

    @Test(arguments: [
        ("content-type: application/json\nno header\n", 2), ("a: b\n folded\n", 2), ("\na: b\n", 1), (": empty\n", 1),
    ])
    func `a line that is no header is named by its number`(headers: String, line: Int) async throws {
        try await withFolder { folder in
            try folder.write("test_secret_do_not_use", "key")
            try folder.write(headers, "headers")
            try folder.write("{}", "sent")
            let run = try await verify("github", in: folder)
            #expect(run.status == 2)
            #expect(run.stderr.contains("line \(line)"))
        }
    }
}
