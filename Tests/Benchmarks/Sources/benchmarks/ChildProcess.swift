import Foundation

/// A program that this one started, and that it ends by its id.
final class ChildProcess {
    private let process = Process()
    let output = Pipe()
    let input = Pipe()

    /// Seconds that a program may take to end before it is killed.
    static let patience = 30.0

    /// Standard error goes to the file `log`. With `keepsOutput` standard output can be read from `output`.
    init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        log: String,
        keepsOutput: Bool = false
    ) throws {
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"].merging(environment) { $1 }
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        guard let errors = FileHandle(forWritingAtPath: log) else { throw ChildError.cannotWrite(log) }
        // A pipe, which standard error may be, has no end to go to.
        _ = try? errors.seekToEnd()
        process.standardError = errors
        process.standardInput = input
        process.standardOutput = keepsOutput ? output : errors
        // A child begins with its parent thread's mask, and threads of Dispatch block what programs want to hear:
        // pgbench its alarm, all of them the wish that they end.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        try process.run()
    }

    var id: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// Asks it to end, and kills it when it does not.
    func end() {
        guard process.isRunning else { return }
        process.terminate()
        let deadline = Date().addingTimeInterval(Self.patience)
        while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
        if process.isRunning { kill(id, SIGKILL) }
        process.waitUntilExit()
    }

    /// Everything that a program printed, when it ended well.
    static func output(
        of program: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        log: String
    ) throws -> String {
        let child = try ChildProcess(program, arguments, environment: environment, log: log, keepsOutput: true)
        child.input.fileHandleForWriting.closeFile()
        let data = child.output.fileHandleForReading.readDataToEndOfFile()
        child.process.waitUntilExit()
        guard child.process.terminationStatus == 0 else {
            throw ChildError.failed(([program] + arguments).joined(separator: " "), log: log)
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Megabytes that are resident now, and at most so far.
    var residentMegabytes: (now: Double, most: Double) {
        // A process that is gone has no such file: nothing is resident then.
        let text = (try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)) ?? ""
        func kilobytes(_ name: String) -> Double {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return Double(line?.split(whereSeparator: \.isWhitespace).dropFirst().first ?? "0") ?? 0
        }
        return (kilobytes("VmRSS") / 1024, kilobytes("VmHWM") / 1024)
    }
}

enum ChildError: Error, CustomStringConvertible {
    case cannotWrite(String)
    case failed(String, log: String)
    case notReady(String, log: String)
    case unexpected(String)

    var description: String {
        switch self {
        case .cannotWrite(let path): "cannot write \(path)"
        case .failed(let command, let log): "failed: \(command) (see \(log))"
        case .notReady(let what, let log): "\(what) did not become ready (see \(log))"
        case .unexpected(let what): what
        }
    }
}
