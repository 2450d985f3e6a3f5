import HTTPTypes
import Outbound
import Transparency

extension CommandFailure {
    /// What a server refused, in its own words (RFC 9457).
    init(_ response: OutboundResponse) {
        // Whatever stands in front of a server may answer in HTML; then the status has to do.
        let problem = try? JSON.parse(response.body)
        let told =
            problem?["detail"]?.string ?? problem?["title"]?.string ?? problem?["error_description"]?.string
            ?? problem?["error"]?.string
        var message = told ?? "the server answered \(response.status.code)"
        for error in problem?["errors"]?.array ?? [] {
            let place = error["pointer"]?.string ?? error["field"]?.string ?? ""
            message += "\n  \(place.isEmpty ? "" : place + ": ")\(error["detail"]?.string ?? error.text)"
        }
        if let value = problem?["confirmation"]?.string { message += "\n  to confirm, add: --confirm \(value)" }
        if let request = problem?["request_id"]?.string { message += " (request \(request))" }
        self.init(ExitStatus(response.status), TerminalText.lines(message))
        confirmation = problem?["confirmation"]?.string
    }

    /// What kept an answer from coming.
    init(_ error: OutboundError) {
        switch error {
        case .urlRefused(let why): self.init(.usage, "the server's URL \(why.rawValue)")
        case .clearTextRefused(let host):
            self.init(.usage, "\(host) is out on the internet, where a token does not travel over http; use https")
        case .addressRefused(let address, let kind):
            self.init(.usage, "\(address) is not to be reached (\(kind.rawValue))")
        case .nameUnresolved(let host): self.init(.remoteUnavailable, "no address is known for \(host)")
        case .connectionFailed(let host): self.init(.remoteUnavailable, "no connection to \(host)")
        case .peerUntrusted(let host): self.init(.failure, "\(host) cannot prove with a certificate that it is \(host)")
        case .timedOut(let host): self.init(.remoteUnavailable, "\(host) did not answer in time")
        case .connectionLost(let host):
            self.init(.remoteUnavailable, "the connection to \(host) was lost before the answer")
        case .responseTooLarge(let host, let limit):
            self.init(.failure, "the answer of \(host) is larger than \(limit) bytes")
        case .responseMalformed(let host): self.init(.failure, "\(host) does not answer in HTTP")
        case .requestMalformed: self.init(.usage, "a header holds what no header may")
        case .cancelled: self.init(.interrupted, "interrupted")
        }
    }
}

extension ExitStatus {
    /// What a status code means to a script.
    init(_ status: HTTPResponse.Status) {
        self =
            switch status.code {
            case 401: .signInNeeded
            case 403: .forbidden
            case 404, 410: .notFound
            case 409, 412, 428: .conflict
            case 408, 425, 429, 502, 503, 504: .remoteUnavailable
            default: .failure
            }
    }
}
