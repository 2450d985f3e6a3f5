package import HTTPTypes

/// One request, complete: what it is, where it goes and what it may cost.
package struct OutboundRequest: Sendable {
    package var method: HTTPRequest.Method
    /// Absolute; read strictly (`URLRefusal`).
    package var url: String
    package var headers: HTTPFields
    package var body: [UInt8]
    package var limits: OutboundLimits

    /// Nothing is checked before `OutboundClient.send`.
    package init(
        method: HTTPRequest.Method = .get,
        url: String,
        headers: HTTPFields = [:],
        body: [UInt8] = [],
        limits: OutboundLimits = .standard
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.limits = limits
    }
}

/// What one exchange may cost.
package struct OutboundLimits: Hashable, Sendable {
    package static let standard = OutboundLimits()

    /// From the look-up of the name to the last byte of the answer.
    package var total: Duration
    /// For each address that is tried.
    package var connect: Duration
    /// Between two reads of the answer.
    package var idle: Duration
    package var responseBodyBytes: Int
    /// Names and values together.
    package var responseHeaderBytes: Int

    /// Bytes and durations that are not positive let nothing through.
    package init(
        total: Duration = .seconds(30),
        connect: Duration = .seconds(5),
        idle: Duration = .seconds(15),
        responseBodyBytes: Int = 4 << 20,
        responseHeaderBytes: Int = 32 << 10
    ) {
        self.total = total
        self.connect = connect
        self.idle = idle
        self.responseBodyBytes = responseBodyBytes
        self.responseHeaderBytes = responseHeaderBytes
    }
}

/// A complete answer. A redirect is an answer like any other: whoever asked decides, with a new request.
package struct OutboundResponse: Sendable {
    package let status: HTTPResponse.Status
    package let headers: HTTPFields
    package let body: [UInt8]
}
