package import Hummingbird
package import NIOCore
import NIOHTTP1
package import Transparency

extension Request {
    /// The whole body, refused before it is read when its declared length is over the limit, and as soon as it is when
    /// it declares none. A body that ends early is refused, never taken for a shorter one.
    package func readBody(mostBytes: Int) async throws -> ByteBuffer {
        // No body that we have to unpack: what it unpacks to has no bound that its sender pays for.
        guard headers[values: .contentEncoding].allSatisfy({ $0.lowercased() == "identity" }) else {
            throw EdgeError.unsupportedMediaType(accepted: "a body without Content-Encoding")
        }
        var declared: Int?
        if let text = headers[.contentLength] {
            guard let length = Int(text), length >= 0 else {
                throw EdgeError.malformed(detail: "Content-Length is not a length.")
            }
            guard length <= mostBytes else { throw EdgeError.payloadTooLarge(mostBytes: mostBytes) }
            declared = length
        }
        var whole = ByteBuffer()
        do {
            for try await part in body {
                guard whole.readableBytes + part.readableBytes <= mostBytes else {
                    throw EdgeError.payloadTooLarge(mostBytes: mostBytes)
                }
                whole.writeImmutableBuffer(part)
            }
        } catch let error where error is HTTPParserError || error is IOError || error is ChannelError {
            // What its sender broke off is no fault of ours: it would be 503, and a line in the log for whoever likes.
            throw EdgeError.malformed(detail: "The body ends early, or breaks the framing of HTTP/1.1.")
        }
        guard declared == nil || declared == whole.readableBytes else {
            throw EdgeError.malformed(detail: "The body ends before its Content-Length.")
        }
        return whole
    }

    /// The body as strict JSON (``Transparency/JSON``): one value, UTF-8, no name twice, bounded depth. Refuses any
    /// content type but the given ones with 415.
    package func readJSON(
        mostBytes: Int = JSON.Limits.standard.bytes,
        contentTypes: [String] = ["application/json"]
    ) async throws -> JSON {
        try refuseUnless(contentTypes)
        return try Self.json(in: try await readBody(mostBytes: mostBytes), mostBytes: mostBytes)
    }

    /// The same where a body need not come: nil for one of no bytes, which clients send with a content type all the same.
    package func readJSONIfAny(mostBytes: Int, contentTypes: [String]) async throws -> JSON? {
        try refuseUnless(contentTypes)
        let bytes = try await readBody(mostBytes: mostBytes)
        // Not `nil`, which JSON takes for its null.
        guard bytes.readableBytes > 0 else { return .none }
        return try Self.json(in: bytes, mostBytes: mostBytes)
    }

    private static func json(in buffer: ByteBuffer, mostBytes: Int) throws(EdgeError) -> JSON {
        do throws(JSON.ParseError) {
            return try JSON.parse(Array(buffer.readableBytesView), limits: .init(bytes: mostBytes))
        } catch {
            throw .malformed(detail: "The body is not JSON as we take it: \(error).")
        }
    }

    /// The body as a value of the given type. Besides ``readJSON(mostBytes:contentTypes:)`` it refuses members that the
    /// type does not know, wrong kinds and missing members, each with its JSON pointer.
    package func decodeJSON<Value: Decodable>(
        as type: Value.Type = Value.self,
        mostBytes: Int = JSON.Limits.standard.bytes,
        contentTypes: [String] = ["application/json"]
    ) async throws -> Value {
        try JSONBody.decode(type, from: try await readJSON(mostBytes: mostBytes, contentTypes: contentTypes))
    }

    /// The media type without its parameters; a `charset` other than UTF-8 is another type.
    private func refuseUnless(_ accepted: [String]) throws(EdgeError) {
        let values = headers[values: .contentType]
        let parts = (values.first ?? "").lowercased().split(separator: ";").map { part in
            part.drop { $0 == " " }.prefix { $0 != " " }
        }
        let isUTF8 = parts.dropFirst().allSatisfy { parameter in
            !parameter.hasPrefix("charset=") || ["utf-8", "\"utf-8\""].contains(parameter.dropFirst(8))
        }
        guard values.count == 1, let type = parts.first, isUTF8, accepted.contains(String(type)) else {
            throw .unsupportedMediaType(accepted: accepted.joined(separator: " or "))
        }
    }
}
