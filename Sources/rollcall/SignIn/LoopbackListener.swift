import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// Listens on a free port of 127.0.0.1 for the one answer of an authorization server (RFC 8252 7.3).
enum LoopbackListener {
    /// How long somebody may take to sign in and decide.
    static let longestWait = Duration.seconds(300)

    /// The answer's parameters. Answers with another `state` are somebody else's, and passed over. `ready` is told the port.
    static func answer(
        at path: String,
        state: String,
        ready: @escaping @Sendable (Int) async throws -> Void
    ) async throws -> [String: String] {
        let (answers, answering) = AsyncStream<[String: String]>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let (ports, port) = AsyncStream<Int>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let logger = Logger(label: "rollcall") { _ in SwiftLogNoOpLogHandler() }
        let router = Router()
        router.get(RouterPath(path)) { request, _ in
            var values: [String: String] = [:]
            for (name, value) in request.uri.queryParameters { values[String(name)] = String(value) }
            guard values["state"] == state else {
                return page("This is not the answer that the command line waits for.", .badRequest)
            }
            answering.yield(values)
            return page(values["error"] == nil ? "You are signed in. Close this window." : "Nothing was allowed.", .ok)
        }
        let server = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
            logger: logger
        )
        var configuration = ServiceGroupConfiguration(services: [.init(service: server)], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(1)
        let group = ServiceGroup(configuration: configuration)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { answering.finish() }
                // However it ends: before the answer its end is told below, and afterwards nobody needs it.
                try? await group.run()
            }
            let answer = try await first(of: answers, on: ports, ready)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return answer
        }
    }

    private static func first(
        of answers: AsyncStream<[String: String]>,
        on ports: AsyncStream<Int>,
        _ ready: @escaping @Sendable (Int) async throws -> Void
    ) async throws -> [String: String] {
        try await withThrowingTaskGroup(of: [String: String]?.self) { tasks in
            tasks.addTask {
                for await port in ports {
                    try await ready(port)
                    break
                }
                return nil
            }
            tasks.addTask {
                guard let answer = await answers.first(where: { _ in true }) else {
                    throw CommandFailure(.failure, "no answer can be waited for on 127.0.0.1")
                }
                return answer
            }
            tasks.addTask {
                try await Task.sleep(for: longestWait)
                throw CommandFailure(.signInNeeded, "nobody signed in within five minutes")
            }
            defer { tasks.cancelAll() }
            while let answer = try await tasks.next() {
                if let answer { return answer }
            }
            throw CancellationError()
        }
    }

    private static func page(_ text: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status,
            headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store", .connection: "close"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n"))
        )
    }
}
