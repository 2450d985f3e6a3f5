import FoundationEssentials
import Subprocess
package import SystemPackage

/// Where PostgreSQL's programs are on this machine.
package struct PostgresPrograms: Hashable, Sendable {
    package let directory: FilePath

    /// Debian's place for the programs of each major version.
    private static let debianRoot: FilePath = "/usr/lib/postgresql"

    /// The programs of `majorVersion`, or the newest: asked of `pg_config`, else found where Debian keeps them.
    package static func find(majorVersion: String? = nil) async throws(EmbeddedServerError) -> PostgresPrograms {
        var candidates: [FilePath] = []
        // An unreadable directory is one without programs.
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: debianRoot.string)) ?? []
        for version in versions.sorted(by: { (Int($0) ?? 0) > (Int($1) ?? 0) }) {
            let directory = debianRoot.appending(version).appending("bin")
            if version == majorVersion {
                candidates.insert(directory, at: 0)
            } else {
                candidates.append(directory)
            }
        }
        if let directory = await configured() { candidates.append(directory) }
        for directory in candidates {
            let programs = PostgresPrograms(directory: directory)
            if programs.areComplete { return programs }
        }
        throw .programsMissing
    }

    func path(_ program: String) -> FilePath { directory.appending(program) }

    private var areComplete: Bool {
        ["initdb", "pg_ctl", "postgres"].allSatisfy {
            FileManager.default.isExecutableFile(atPath: path($0).string)
        }
    }

    private static func configured() async -> FilePath? {
        // Without pg_config there is nothing to ask.
        let record = try? await Subprocess.run(
            .name("pg_config"),
            arguments: ["--bindir"],
            output: .string(limit: 4096)
        )
        guard let output = record?.standardOutput.trimmed, !output.isEmpty else { return nil }
        return FilePath(output)
    }
}
