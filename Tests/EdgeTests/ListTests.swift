import Crypto
import Edge
import Filter
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Testing

@Suite struct ListTests {
    private let key = SymmetricKey(data: Data(repeating: 7, count: 32))

    @Test func `a cursor opens only for its own list and key`() throws {
        let cursor = Cursor(position: [1, 2, 3], of: "people", key: key).description
        #expect(try Cursor.position(in: cursor, of: "people", key: key) == [1, 2, 3])
        let refusal = EdgeError.invalid([.init(parameter: "cursor", "This is not a cursor of this list.")])
        #expect(throws: refusal) { try Cursor.position(in: cursor, of: "users", key: key) }
        let other = SymmetricKey(data: Data(repeating: 8, count: 32))
        #expect(throws: refusal) { try Cursor.position(in: cursor, of: "people", key: other) }
        for index in cursor.indices {
            var forged = cursor
            forged.replaceSubrange(index...index, with: forged[index] == "A" ? "B" : "A")
            #expect(throws: EdgeError.self) { try Cursor.position(in: forged, of: "people", key: key) }
        }
        for text in ["", "A", "!!!!", String(repeating: "A", count: 2000)] {
            #expect(throws: refusal) { try Cursor.position(in: text, of: "people", key: key) }
        }
    }

    @Test func `a list query has defaults and reads what is sent`() throws {
        let plain = try ListQuery(URI("/v1/people"))
        #expect(plain.limit == 50 && plain.filter == nil && plain.cursor == nil)
        let query = try ListQuery(URI("/v1/people?limit=200&filter=userName%20eq+%22ada%22&kind=a%26b"), also: ["kind"])
        #expect(query.limit == 200)
        #expect(query.filter?.description.contains("userName") == true)
        #expect(query.more == ["kind": "a&b"])
    }

    @Test(arguments: [
        "limit=0", "limit=201", "limit=-1", "limit=+5", "limit=05", "limit=x", "limit=", "limit=1&limit=2", "offset=3",
        "filter=", "filter=userName+eq", "Limit=5", "filter=%ff", "filter=%4", "filter=%zz",
    ])
    func `a list query that cannot be meant is refused`(query: String) {
        #expect(throws: EdgeError.self) { try ListQuery(URI("/v1/people?" + query)) }
    }

    @Test func `a cursor is bound to the filter that it was made under`() throws {
        let first = try ListQuery(URI("/v1/people?filter=userName+eq+%22ada%22"))
        let cursor = first.next([9], of: "people", key: key).description
        let same = try ListQuery(URI("/v1/people?filter=userName+eq+%22ada%22&cursor=\(cursor)"))
        #expect(try same.position(of: "people", key: key) == [9])
        let other = try ListQuery(URI("/v1/people?filter=userName+eq+%22bob%22&cursor=\(cursor)"))
        #expect(throws: EdgeError.self) { try other.position(of: "people", key: key) }
    }

    @Test func `a change names the one version that it is meant for`() throws {
        let tag = EntityTag(version: 7)
        #expect(tag.description == #""v7""#)
        #expect(try EntityTag.required(in: [.ifMatch: #""v7""#]) == tag)
        #expect(throws: EdgeError.preconditionRequired) { try EntityTag.required(in: [:]) }
        for value in ["*", #"W/"v7""#, #""v7", "v8""#, #""v07""#, "v7", #""""#, #""v99999999999999999999""#] {
            let refusal = #expect(throws: EdgeError.self) { try EntityTag.required(in: [.ifMatch: value]) }
            guard case .malformed = refusal else { return #expect(Bool(false), "\(value)") }
        }
        #expect(throws: EdgeError.preconditionFailed) { try tag.require(EntityTag(version: 8)) }
        #expect(tag.isHeld(by: [.ifNoneMatch: #""v1", W/"v7""#]))
        #expect(!tag.isHeld(by: [.ifNoneMatch: #""v1", "v70""#]))
    }

    @Test func `an idempotency key is optional, visible and bounded`() throws {
        #expect(try IdempotencyKey(in: [:]) == nil)
        #expect(try IdempotencyKey(in: [.idempotencyKey: "k-1"])?.description == "k-1")
        for value in ["", "a b", "é", String(repeating: "k", count: 129)] {
            #expect(throws: EdgeError.self) { try IdempotencyKey(in: [.idempotencyKey: value]) }
        }
    }

    @Test func `a fingerprint changes with method, path, query and body`() {
        let request = { (method: HTTPRequest.Method, path: String) in
            Request(
                head: HTTPRequest(method: method, scheme: nil, authority: nil, path: path),
                body: RequestBody(buffer: ByteBuffer())
            )
        }
        let prints = [
            IdempotencyKey.fingerprint(of: request(.post, "/a"), body: [1]),
            IdempotencyKey.fingerprint(of: request(.post, "/a"), body: [2]),
            IdempotencyKey.fingerprint(of: request(.post, "/a?b"), body: [1]),
            IdempotencyKey.fingerprint(of: request(.put, "/a"), body: [1]),
        ]
        #expect(Set(prints).count == 4)
        #expect(prints[0] == IdempotencyKey.fingerprint(of: request(.post, "/a"), body: [1]))
    }
}
