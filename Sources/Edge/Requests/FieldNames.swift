package import HTTPTypes

// Field names that HTTPTypes does not know. Each is a token, which is all that the initialiser asks.
extension HTTPField.Name {
    package static let xForwardedFor = named("x-forwarded-for")
    package static let forwarded = named("forwarded")
    package static let requestID = named("x-request-id")
    package static let traceparent = named("traceparent")
    package static let idempotencyKey = named("idempotency-key")
    package static let secFetchSite = named("sec-fetch-site")
    package static let referrerPolicy = named("referrer-policy")

    private static func named(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a token") }
        return name
    }
}
