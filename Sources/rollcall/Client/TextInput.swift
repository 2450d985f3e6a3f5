import Foundation
import SystemPackage
import Transparency

/// The environment of the process.
enum Environment {
    /// Nil also for an empty value.
    static subscript(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Files and stdin, bounded.
enum TextInput {
    /// Bytes. More is no body that a server would take.
    static let largestFile = 8 << 20
    /// Bytes. Keys, tokens and claim links are far smaller.
    static let largestSecret = 64 << 10

    /// The whole file, or all of stdin for `-`.
    static func bytes(from path: String, limit: Int = largestFile) throws(CommandFailure) -> [UInt8] {
        do {
            if path == "-" { return try read(FileDescriptor.standardInput, limit, path) }
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            return try file.closeAfter { try read(file, limit, path) }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.usage, "cannot read \(path): \(error)")
        }
    }

    /// The only line of a file that holds a secret.
    static func secret(from path: String) throws(CommandFailure) -> String {
        let text = String(decoding: try bytes(from: path, limit: largestSecret), as: UTF8.self)
        let secret = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !secret.isEmpty else { throw CommandFailure(.usage, "\(path) is empty") }
        guard !secret.contains(where: \.isNewline) else {
            throw CommandFailure(.usage, "\(path) holds more than one line")
        }
        return secret
    }

    /// A key as its file holds it, spaces and inner line ends included; one line end behind it is the file's own.
    static func key(from path: String) throws(CommandFailure) -> String {
        var bytes = try bytes(from: path, limit: largestSecret)
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard !bytes.isEmpty else { throw CommandFailure(.usage, "\(path) is empty") }
        guard let key = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.usage, "\(path) is not UTF-8")
        }
        return key
    }

    static func json(from path: String) throws(CommandFailure) -> JSON {
        let bytes = try bytes(from: path)
        do throws(JSON.ParseError) {
            return try JSON.parse(bytes)
        } catch {
            throw CommandFailure(.usage, "\(path == "-" ? "stdin" : path) is not JSON: \(error)")
        }
    }

    private static func read(_ file: FileDescriptor, _ limit: Int, _ path: String) throws -> [UInt8] {
        let handle = FileHandle(fileDescriptor: file.rawValue, closeOnDealloc: false)
        let bytes = try handle.read(upToCount: limit + 1).map { Array($0) } ?? []
        guard bytes.count <= limit else { throw CommandFailure(.usage, "\(path) is larger than \(limit) bytes") }
        return bytes
    }
}
