package import HTTPTypes
package import Hummingbird
import NIOCore
package import Transparency

extension JSON {
    /// This value as the body of an answer, members in the order in which they were set.
    package func response(
        status: HTTPResponse.Status = .ok,
        contentType: String = "application/json",
        fields: HTTPFields = [:]
    ) -> Response {
        var fields = fields
        fields[.contentType] = contentType
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// One page of a list, as every list answers.
    package static func page(_ items: [JSON], next: Cursor?) -> JSON {
        ["items": .array(items), "next_cursor": next.map { .string($0.description) } ?? .null]
    }
}
