import App
import Domain
import Foundation
import Glibc
import SystemPackage
import Transparency

/// A sign-in of `rollcall login`: what the command line may do at one server until it is ended.
struct StoredSignIn {
    let url: String
    let tokenEndpoint: String
    let revocationEndpoint: String
    let organization: String
    let username: String
    var access: String
    var refresh: String
    /// When the access token ends, by this machine's clock.
    var expiresAt: Timestamp

    init?(_ json: JSON) {
        guard let url = json["url"]?.string, let tokenEndpoint = json["token_endpoint"]?.string,
            let revocationEndpoint = json["revocation_endpoint"]?.string, let access = json["access_token"]?.string,
            let refresh = json["refresh_token"]?.string,
            let expiresAt = json["expires_at"]?.string.flatMap({ Timestamp($0) })
        else { return nil }
        self.init(
            url: url,
            tokenEndpoint: tokenEndpoint,
            revocationEndpoint: revocationEndpoint,
            organization: json["organization"]?.string ?? "",
            username: json["username"]?.string ?? "",
            access: access,
            refresh: refresh,
            expiresAt: expiresAt
        )
    }

    init(
        url: String,
        tokenEndpoint: String,
        revocationEndpoint: String,
        organization: String,
        username: String,
        access: String,
        refresh: String,
        expiresAt: Timestamp
    ) {
        self.url = url
        self.tokenEndpoint = tokenEndpoint
        self.revocationEndpoint = revocationEndpoint
        self.organization = organization
        self.username = username
        self.access = access
        self.refresh = refresh
        self.expiresAt = expiresAt
    }

    var json: JSON {
        [
            "url": .string(url), "organization": .string(organization), "username": .string(username),
            "token_endpoint": .string(tokenEndpoint), "revocation_endpoint": .string(revocationEndpoint),
            "access_token": .string(access), "refresh_token": .string(refresh),
            "expires_at": .string(expiresAt.description),
        ]
    }
}

/// The file of sign-ins: one for each server, readable by its owner alone, replaced as a whole.
///
/// Whoever changes it holds the lock of a file beside it, so that of two programs that refresh at once the second finds
/// what the first brought.
struct StoredSignIns {
    private let directory: String
    private var path: String { directory + "/sign-ins.json" }

    /// In `XDG_STATE_HOME`, else below the home directory; nil where neither is known.
    static var standard: StoredSignIns? {
        let state = Environment["XDG_STATE_HOME"] ?? Environment["HOME"].map { $0 + "/.local/state" }
        return state.map { StoredSignIns(directory: $0 + "/rollcall") }
    }

    /// None where there is no file. Refuses one that others may read.
    func all() throws(CommandFailure) -> [StoredSignIn] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        // Whoever takes it away in between has it read as missing below.
        let mode = (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int ?? 0o600
        guard mode & 0o077 == 0 else {
            throw CommandFailure(.failure, "others may read \(path): chmod 600 it, or rollcall logout and login again")
        }
        return (try TextInput.json(from: path)["sign_ins"]?.array ?? []).compactMap { StoredSignIn($0) }
    }

    func at(_ url: String) throws(CommandFailure) -> StoredSignIn? { try all().first { $0.url == url } }

    /// Puts what `change` makes of the sign-in at `url` in its place; nil takes it away.
    func change(
        at url: String,
        _ change: (StoredSignIn?) async throws(CommandFailure) -> StoredSignIn?
    ) async throws(CommandFailure) {
        let lock: FileDescriptor
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            lock = try FileDescriptor.open(
                FilePath(directory + "/sign-ins.lock"),
                .readWrite,
                options: [.create, .closeOnExec],
                permissions: .ownerReadWrite
            )
        } catch {
            throw CommandFailure(.failure, "sign-ins cannot be kept in \(directory): \(error)")
        }
        // Closing it gives the lock back; nothing was written that a failed close could lose.
        defer { try? lock.close() }
        guard flock(lock.rawValue, LOCK_EX) == 0 else {
            throw CommandFailure(.failure, "\(directory) cannot be locked")
        }
        var all = try all()
        let changed = try await change(all.first { $0.url == url })
        all.removeAll { $0.url == url }
        if let changed { all.append(changed) }
        try write(all)
    }

    private func write(_ all: [StoredSignIn]) throws(CommandFailure) {
        let fresh = path + ".new"
        let document: JSON = ["sign_ins": .array(all.map(\.json))]
        do {
            // A former one, of a program that was killed, may have another mode.
            if FileManager.default.fileExists(atPath: fresh) { try FileManager.default.removeItem(atPath: fresh) }
            let file = try FileDescriptor.open(
                FilePath(fresh),
                .writeOnly,
                options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite
            )
            try file.closeAfter { _ = try file.writeAll(PrettyJSON.text(document).utf8) }
        } catch {
            throw CommandFailure(.failure, "\(fresh) cannot be written: \(error)")
        }
        guard unsafe rename(fresh, path) == 0 else { throw CommandFailure(.failure, "\(path) cannot be replaced") }
    }
}
