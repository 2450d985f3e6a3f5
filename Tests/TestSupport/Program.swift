import Foundation
import Subprocess
import SystemPackage

/// The built `rollcall`, run as a user would.
package enum Program {
    package struct Run: Sendable {
        /// The exit code, or 128 and the number of the signal, as a shell has it.
        package let status: Int32
        package let stdout: String
        package let stderr: String
    }

    /// Bytes of each stream; a command that prints more is cut off.
    package static let longestOutput = 4 << 20

    /// Stands beside the bundle of tests, wherever that was built.
    package static var path: String { directory + "/rollcall" }

    private static var directory: String {
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    }

    /// Nothing of the caller's environment is handed on but PATH: a test says what the program sees.
    package static func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        stdin: String = ""
    ) async throws -> Run {
        try await run(path, arguments, environment, stdin)
    }

    /// A line of a shell in whose PATH the program comes first.
    package static func shell(_ line: String, environment: [String: String] = [:]) async throws -> Run {
        try await run("/bin/sh", ["-c", line], environment, "")
    }

    private static func run(
        _ program: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ stdin: String
    ) async throws -> Run {
        var variables: [Subprocess.Environment.Key: String] = [:]
        for (name, value) in environment { variables[.init(stringLiteral: name)] = value }
        variables["PATH"] = directory + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        let result = try await Subprocess.run(
            .path(FilePath(program)),
            arguments: Arguments(arguments),
            environment: .custom(variables),
            input: .string(stdin),
            output: .string(limit: longestOutput),
            error: .string(limit: longestOutput)
        )
        let status: Int32 =
            switch result.terminationStatus {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        return Run(status: status, stdout: result.standardOutput, stderr: result.standardError)
    }
}
