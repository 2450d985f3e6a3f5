import Glibc
import SystemPackage

extension EmbeddedServer {
    /// Becomes a streaming replica of a running cluster, in a home that has none yet, and starts: a copy that follows, and
    /// that only reads.
    package func startReplica(of primary: EmbeddedServer) async throws(EmbeddedServerError) {
        let account = try Account.forServer()
        try prepare(home, for: account)
        try await requireReachable(account)
        let arguments = [
            "-D", data.string, "-h", primary.socketDirectory.string, "-p", primary.port, "-U", Self.superuser, "-R",
            "-X", "stream", "-c", "fast",
        ]
        try await run(try await findPrograms().path("pg_basebackup"), arguments, account)
        try await start()
    }
}
