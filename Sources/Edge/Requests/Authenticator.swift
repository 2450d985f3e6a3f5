package import Domain
package import HTTPTypes
package import Hummingbird

/// Reads the bearer token of a request (RFC 6750 section 2.1, the header and nothing else) and has it proved.
///
/// What a token is worth is not decided here: the closure asks Storage and throws ``EdgeError`` for a refusal, after
/// having recorded it. A text that was never a token of ours costs no look-up.
package struct Authenticator: RouterMiddleware {
    package typealias Context = EdgeContext

    private let prove: @Sendable (OpaqueSecret, EdgeContext) async throws -> Caller

    package init(prove: @escaping @Sendable (OpaqueSecret, EdgeContext) async throws -> Caller) {
        self.prove = prove
    }

    /// Refuses before the body is read.
    package func handle(
        _ request: Request,
        context: EdgeContext,
        next: @concurrent (Request, EdgeContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = try await prove(try Self.bearer(in: request.headers), context)
        return try await next(request, context)
    }

    /// The one bearer token of a header. Refuses none, two, another scheme, and what is not of a token's form.
    package static func bearer(in fields: HTTPFields) throws(EdgeError) -> OpaqueSecret {
        let values = fields[values: .authorization]
        guard let value = values.first else { throw .unauthorized(.missing) }
        let scheme = value.prefix { $0 != " " }
        guard values.count == 1, scheme.lowercased() == "bearer",
            let secret = OpaqueSecret(String(value.dropFirst(scheme.count).drop { $0 == " " }))
        else { throw .unauthorized(.invalid) }
        guard secret.kind.isBearer else { throw .unauthorized(.invalid) }
        return secret
    }
}
