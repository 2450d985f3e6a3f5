import Domain
import Edge
import Foundation
import HTTPTypes
import Hummingbird
import Storage
import TestSupport
import Testing
import Transparency

@testable import API

@Suite struct OpenAPITests {
    @Test func `every route is in the document and every operation of the document is a route`() async throws {
        try await StoreFixture.with { fixture in
            let router = Router<EdgeContext>.edge()
            try TestAPI.door(fixture.store, GroupCommit(fixture.store, name: "observation")).mount(on: router)
            // OpenAPI has no word for a parameter that takes the slashes too.
            let routes = Set(
                router.routes.map { "\($0.method.rawValue) \("\($0.path)".replacing("/**", with: "/{file}"))" }
            )
            let document = OpenAPIDocument.of(Operation.all, at: TestAPI.publicURL)
            var named: Set<String> = []
            for (path, methods) in document["paths"]?.object?.members ?? [] {
                for method in methods.object?.keys ?? [] { named.insert("\(method.uppercased()) \(path)") }
            }
            #expect(routes == named)
            #expect(routes.count == Operation.all.count)
        }
    }

    @Test func `operations have ids of their own`() {
        #expect(Set(Operation.all.map(\.id)).count == Operation.all.count)
    }

    @Test func `every example fits its schema`() throws {
        let document = APIDocument(.object(OpenAPIDocument.of(Operation.all, at: TestAPI.publicURL)))
        let schemas = try #require(document.json["components"]?["schemas"]?.object)
        for (name, schema) in schemas.members {
            let examples = schema["examples"]?.array ?? []
            #expect(!examples.isEmpty, "\(name) has no example")
            for example in examples { #expect(document.faults(of: example, by: schema, at: name) == []) }
        }
    }

    @Test func `scopes of the document are in the catalogue`() {
        let known = Set(Scope.catalogue.map(\.scope))
        for operation in Operation.all { #expect(known.isSuperset(of: operation.access.scopes)) }
    }

    @Test func `the document holds up before another reader of OpenAPI`() throws {
        let document = OpenAPIDocument.of(Operation.all, at: TestAPI.publicURL)
        let file = FileManager.default.temporaryDirectory.appending(path: "openapi-\(getpid()).json")
        try Data(JSON.object(document).bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let check = Process()
        check.executableURL = URL(filePath: "/usr/bin/env")
        // 64: the validator is not installed on this machine.
        let program = """
            import json, sys
            try:
                from openapi_spec_validator import validate
            except ImportError:
                sys.exit(64)
            validate(json.load(open(sys.argv[1])))
            """
        check.arguments = ["python3", "-c", program, file.path]
        try check.run()
        check.waitUntilExit()
        #expect([0, 64].contains(check.terminationStatus))
    }
}
