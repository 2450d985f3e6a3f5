import ArgumentParser
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The server of the bases: no product code, the same framework.
struct Bases: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the bases; prints its port.", shouldDisplay: false)

    /// Bytes of a body at most, as the product's.
    private static let mostBodyBytes = 1024 * 1024

    func run() async throws {
        let router = Router()
        router.get("/constant") { _, _ in Self.answer(.ok) }
        router.post("/constant") { request, _ in
            _ = try await request.body.collect(upTo: Self.mostBodyBytes)
            return Self.answer(.ok)
        }
        let key = SymmetricKey(size: .bits256)
        router.post("/hmac") { request, _ in
            let body = try await request.body.collect(upTo: Self.mostBodyBytes)
            let code = body.withUnsafeReadableBytes { HMAC<SHA256>.authenticationCode(for: $0, using: key) }
            // Looked at, so that it is computed.
            return Self.answer(code.byteCount == 32 ? .accepted : .internalServerError)
        }
        var logger = Logger(label: "bases")
        logger.logLevel = .error
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                FileHandle.standardOutput.write(Data("\(channel.localAddress?.port ?? 0)\n".utf8))
            },
            logger: logger
        )
        try await application.runService()
    }

    private static func answer(_ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: #"{"delivery":"dlv_01k9qyc5qje1qsv9svhrqgc8d0"}"#))
        )
    }
}

/// That server, running as a process of its own.
struct BaseServer {
    let process: ChildProcess
    let port: Int

    static func start(scratch: String) throws -> BaseServer {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = try ChildProcess(program, ["bases"], log: scratch + "/bases.log", keepsOutput: true)
        let line = String(decoding: process.output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)), port > 0 else {
            process.end()
            throw ChildError.notReady("the server of the bases", log: scratch + "/bases.log")
        }
        return BaseServer(process: process, port: port)
    }
}
