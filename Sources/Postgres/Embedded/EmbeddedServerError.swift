import Glibc

/// Why a private cluster does not run.
package enum EmbeddedServerError: Error, Hashable, Sendable {
    /// Neither pg_config nor Debian's directories lead to initdb, pg_ctl and postgres.
    case programsMissing
    /// We are root, whom PostgreSQL refuses, and there is no system user `postgres`.
    case systemUserMissing
    /// The directory belongs to somebody else, or the user that runs the server cannot reach it.
    case homeUnusable(String)
    /// A program of PostgreSQL's failed, with what it printed.
    case failed(program: String, output: String)
}

extension EmbeddedServerError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .programsMissing: "PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)"
        case .systemUserMissing: "as root a system user \(EmbeddedServer.systemUser) is needed, and there is none"
        case .homeUnusable(let path): "\(path) is not a directory that PostgreSQL's user can use as its own"
        case .failed(let program, let output): "\(program) failed: \(output)"
        }
    }
}

/// A user of the operating system.
struct Account: Hashable, Sendable {
    let user: uid_t
    let group: gid_t

    /// The user that runs the server: ourselves, or the system user when we are root.
    static func forServer() throws(EmbeddedServerError) -> Account {
        if getuid() != 0 { return Account(user: getuid(), group: getgid()) }
        var entry = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 4096)
        let failure = unsafe getpwnam_r(EmbeddedServer.systemUser, &entry, &buffer, buffer.count, &found)
        guard failure == 0, let account = unsafe found else { throw .systemUserMissing }
        return unsafe Account(user: account.pointee.pw_uid, group: account.pointee.pw_gid)
    }
}
