import AsyncHTTPClient
import Domain
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends requests, each over a connection of its own to an address that was checked.
///
/// Guarantees: no redirect is followed, no proxy of the environment is used, no name is resolved twice, nothing larger
/// or slower than the request's limits is kept or waited for. An error tells whether the peer may have acted.
package struct OutboundClient: Sendable {
    /// A name with more addresses than this is tried no further.
    package static let mostAttempts = 4

    private let policy: AddressPolicy
    private let resolver: NameResolver

    /// `policy` has to fit whoever chose the URLs that are sent through this client.
    package init(policy: AddressPolicy, resolver: NameResolver = .system) {
        self.policy = policy
        self.resolver = resolver
    }

    /// The peer's answer, whatever its status.
    package func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
        try await send(request, sink: nil)
    }

    /// The same, but the body of a success goes to `receive` as it comes and is not kept; `responseBodyBytes` does not
    /// bound it. False from `receive` ends the exchange as ``OutboundError/cancelled``.
    package func send(
        _ request: OutboundRequest,
        receiving receive: @escaping @Sendable ([UInt8]) async -> Bool
    ) async throws(OutboundError) -> OutboundResponse {
        try await send(request, sink: receive)
    }

    private func send(
        _ request: OutboundRequest,
        sink: OutboundExchange.Sink?
    ) async throws(OutboundError) -> OutboundResponse {
        let url: OutboundURL
        do throws(URLRefusal) {
            url = try OutboundURL(request.url, policy: policy)
        } catch {
            throw .urlRefused(error)
        }
        let deadline = NIODeadline.now() + TimeAmount(request.limits.total)
        let addresses = try await addresses(of: url, before: deadline)
        try policy.check(addresses, of: url)

        var failure = OutboundError.nameUnresolved(host: url.host)
        for address in addresses.prefix(Self.mostAttempts) {
            do throws(OutboundError) {
                return try await attempt(request, sink, to: url, at: address, before: deadline)
            } catch {
                // Only a connection that never was may be tried elsewhere: nothing has been sent.
                guard case .connectionFailed = error else { throw error }
                failure = error
            }
        }
        throw failure
    }

    private func addresses(of url: OutboundURL, before deadline: NIODeadline) async throws(OutboundError) -> [IPAddress]
    {
        if let address = url.address { return [address] }
        let found = await resolver.addresses(url.host, deadline)
        guard !found.isEmpty else { throw .nameUnresolved(host: url.host) }
        return found
    }

    /// One connection to one address, given up at the deadline.
    private func attempt(
        _ request: OutboundRequest,
        _ sink: OutboundExchange.Sink?,
        to url: OutboundURL,
        at address: IPAddress,
        before deadline: NIODeadline
    ) async throws(OutboundError) -> OutboundResponse {
        let exchange = OutboundExchange(request: request, url: url, address: address, sink: sink)
        let result = await withTaskGroup(of: Result<OutboundResponse, OutboundError>.self) { group in
            group.addTask { await exchange.run() }
            group.addTask {
                // Cancelled means that the exchange came first, or that the caller gave up; both are told by it.
                try? await Task.sleep(for: .nanoseconds((deadline - .now()).nanoseconds))
                return .failure(Task.isCancelled ? .cancelled : .timedOut(host: url.host))
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? .failure(.cancelled)
        }
        return try result.get()
    }
}

/// One request over one new connection to one address.
struct OutboundExchange: Sendable {
    let request: OutboundRequest
    let url: OutboundURL
    let address: IPAddress
    /// Where the body of a success goes; nil: it is kept.
    let sink: Sink?

    typealias Sink = @Sendable ([UInt8]) async -> Bool

    func run() async -> Result<OutboundResponse, OutboundError> {
        do {
            return .success(
                try await HTTPClient.withHTTPClient(
                    eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                    configuration: configuration
                ) { client in
                    let response = try await client.execute(message, timeout: TimeAmount(request.limits.total))
                    return try await collect(response)
                }
            )
        } catch {
            return .failure(OutboundError(error, host: url.host))
        }
    }

    private var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        // The name stays in Host, SNI and the certificate's check; the connection goes to the checked address.
        if url.address == nil { configuration.dnsOverride = [url.host: address.description] }
        configuration.timeout = .init(
            connect: TimeAmount(request.limits.connect),
            read: TimeAmount(request.limits.idle),
            write: TimeAmount(request.limits.idle)
        )
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.maximumUsesPerConnection = 1
        return configuration
    }

    private var message: HTTPClientRequest {
        var message = HTTPClientRequest(url: url.text)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        for field in request.headers { message.headers.add(name: field.name.rawName, value: field.value) }
        if !request.body.isEmpty { message.body = .bytes(request.body) }
        return message
    }

    private func collect(_ response: HTTPClientResponse) async throws -> OutboundResponse {
        var headers = HTTPFields()
        var headerBytes = 0
        for (name, value) in response.headers {
            headerBytes += name.utf8.count + value.utf8.count
            guard headerBytes <= request.limits.responseHeaderBytes else {
                throw OutboundError.responseTooLarge(host: url.host, limitBytes: request.limits.responseHeaderBytes)
            }
            guard let field = HTTPField.Name(name) else { throw OutboundError.responseMalformed(host: url.host) }
            headers.append(HTTPField(name: field, value: value))
        }
        let isSuccess = (200..<300).contains(response.status.code)
        var body: [UInt8] = []
        for try await chunk in response.body {
            if let sink, isSuccess {
                guard await sink(Array(chunk.readableBytesView)) else { throw OutboundError.cancelled }
                continue
            }
            guard body.count + chunk.readableBytes <= request.limits.responseBodyBytes else {
                throw OutboundError.responseTooLarge(host: url.host, limitBytes: request.limits.responseBodyBytes)
            }
            body.append(contentsOf: chunk.readableBytesView)
        }
        return OutboundResponse(status: .init(code: Int(response.status.code)), headers: headers, body: body)
    }
}
