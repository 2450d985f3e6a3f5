package import Domain
import HTTPTypes
package import Logging
package import Outbound
import Synchronization
import Transparency

/// Documents by which clients are known (draft-ietf-oauth-client-id-metadata-document), fetched through the guard of
/// Outbound and kept for a while.
///
/// Asked for only on behalf of somebody who is signed in: no stranger has this server fetch anything. What could not be had
/// is remembered too, so that nobody has it asked for again and again.
package final class ClientDocuments: Sendable {
    /// One exchange with whoever keeps a document.
    package typealias Fetch = @Sendable (OutboundRequest) async throws(OutboundError) -> OutboundResponse

    private let fetch: Fetch
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var kept: [ClientDocumentURL: Kept] = [:]
        var underway = 0
    }

    private struct Kept {
        let client: OutsideClient?
        let until: ContinuousClock.Instant
    }

    /// Documents that are kept at most, those that could not be had among them.
    static let mostKept = 1000
    /// Fetches at a time.
    static let mostUnderway = 8
    /// Within this, as long as the document's own `max-age` says.
    static let lifetimes = Duration.seconds(60)...Duration.seconds(86_400)
    static let standardLifetime = Duration.seconds(300)
    private static let limits = OutboundLimits(
        total: .seconds(5),
        connect: .seconds(2),
        idle: .seconds(3),
        responseBodyBytes: ClientMetadata.mostBytes
    )

    /// Fetches through `outbound`, whose policy has to be one for strangers' addresses.
    package convenience init(outbound: OutboundClient, logger: Logger) {
        self.init(logger: logger) { request async throws(OutboundError) in try await outbound.send(request) }
    }

    /// As above, by another way to fetch.
    package init(logger: Logger, fetch: @escaping Fetch) {
        self.fetch = fetch
        self.logger = logger
    }

    /// The client at that address; nil where none can be had now.
    package func client(at url: ClientDocumentURL) async -> OutsideClient? {
        let now = ContinuousClock.now
        if let kept = state.withLock({ $0.kept[url] }), kept.until > now { return kept.client }
        let isOurTurn = state.withLock { state in
            guard state.underway < Self.mostUnderway else { return false }
            state.underway += 1
            return true
        }
        guard isOurTurn else { return nil }
        let (client, lifetime) = await fetched(url)
        state.withLock { state in
            state.underway -= 1
            if state.kept.count >= Self.mostKept { state.kept = state.kept.filter { $0.value.until > now } }
            guard state.kept.count < Self.mostKept else { return }
            state.kept[url] = Kept(client: client, until: now + lifetime)
        }
        return client
    }

    private func fetched(_ url: ClientDocumentURL) async -> (OutsideClient?, Duration) {
        let request = OutboundRequest(
            url: url.description,
            headers: [.accept: "application/json"],
            limits: Self.limits
        )
        do {
            let response = try await fetch(request)
            // A redirect is not followed: the document stands at its own address.
            guard response.status == .ok, Self.isJSON(response.headers[.contentType]),
                let document = try JSON.parse(response.body).object
            else { return (nil, Self.lifetimes.lowerBound) }
            return (try url.client(in: document), Self.lifetime(response.headers[.cacheControl]))
        } catch {
            logger.info("A client's document was not taken", metadata: ["url": "\(url)", "error": "\(error)"])
            return (nil, Self.lifetimes.lowerBound)
        }
    }

    private static func isJSON(_ type: String?) -> Bool {
        let media = (type ?? "").lowercased().prefix { $0 != ";" }.filter { $0 != " " }
        return media == "application/json" || (media.hasPrefix("application/") && media.hasSuffix("+json"))
    }

    private static func lifetime(_ cacheControl: String?) -> Duration {
        for word in (cacheControl ?? "").lowercased().split(separator: ",").map({ $0.filter { $0 != " " } }) {
            if word == "no-store" || word == "no-cache" { return lifetimes.lowerBound }
            guard word.hasPrefix("max-age="), let seconds = Int64(word.dropFirst(8)), seconds >= 0 else { continue }
            return min(max(.seconds(min(seconds, 86_400)), lifetimes.lowerBound), lifetimes.upperBound)
        }
        return standardLifetime
    }
}

/// Which clients are known that no admin registered, besides the program's own command line.
package struct OutsideClients: Sendable {
    /// Whether they may register themselves (RFC 7591).
    package var registration: Bool
    /// nil: none are known by a document.
    package var documents: ClientDocuments?

    /// Both off.
    package init(registration: Bool = false, documents: ClientDocuments? = nil) {
        self.registration = registration
        self.documents = documents
    }
}
