import Evidence
import Foundation
import Testing
import Transparency

/// Events against the published schema (Tests/Vectors/ocsf).
@Suite struct OCSFSchemaTests {
    static let schema: JSON = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/ocsf/schema-1.7.0.json")
        let bytes = (try? Data(contentsOf: file)).map { Array($0) } ?? []
        return (try? JSON.parse(bytes)) ?? .null
    }()

    /// What is wrong with an event; empty where nothing is.
    static func faults(of event: JSON) -> [String] {
        guard let uid = event["class_uid"]?.int64, let known = schema["classes"]?[String(uid)] else {
            return ["no class"]
        }
        var faults = faults(of: event, as: known, at: "")
        if event["category_uid"]?.int64 != uid / 1000 { faults.append("category_uid") }
        if event["type_uid"]?.int64 != uid * 100 + (event["activity_id"]?.int64 ?? -1) { faults.append("type_uid") }
        return faults
    }

    private static func faults(of object: JSON, as type: JSON, at path: String) -> [String] {
        guard let members = object.object, let attributes = type["attributes"]?.object else {
            return [path + ": no object"]
        }
        var faults: [String] = []
        for (name, attribute) in attributes.members
        where attribute["requirement"] == "required" && object[name] == nil {
            faults.append("\(path)/\(name) is missing")
        }
        if let any = type["constraints"]?["at_least_one"]?.array?.compactMap(\.string),
            !any.contains(where: { object[$0] != nil })
        {
            faults.append("\(path) needs one of \(any)")
        }
        for (name, value) in members.members {
            guard let attribute = attributes[name] else {
                faults.append("\(path)/\(name) is no attribute")
                continue
            }
            let isArray = attribute["is_array"] == true
            if isArray != (value.array != nil) {
                faults.append("\(path)/\(name): array?")
                continue
            }
            for element in value.array ?? [value] { faults += Self.faults(element, attribute, "\(path)/\(name)") }
        }
        return faults
    }

    private static func faults(_ value: JSON, _ attribute: JSON, _ path: String) -> [String] {
        let type = attribute["type"]?.string ?? ""
        if let allowed = attribute["enum"]?.array?.compactMap(\.string),
            !allowed.contains(value.int64.map { String($0) } ?? value.string ?? "")
        {
            return ["\(path): \(value) is not of the enumeration"]
        }
        switch type {
        case "integer_t", "long_t", "timestamp_t", "port_t": return value.int64 == nil ? ["\(path): no integer"] : []
        case "boolean_t": return value.bool == nil ? ["\(path): no boolean"] : []
        case "json_t", "object": return []
        case let text where text.hasSuffix("_t"): return value.string == nil ? ["\(path): no text"] : []
        default:
            guard let known = schema["objects"]?[type] else { return ["\(path): \(type) is not in the copy"] }
            return faults(of: value, as: known, at: path)
        }
    }

    @Test func `the copy of the schema is there, and a broken event is found`() throws {
        #expect(Self.schema["classes"]?.object?.count == 5)
        #expect(Self.faults(of: ["class_uid": 3002]).contains { $0.contains("metadata") })
        let event = try Entries.document(try Entries.entry(Entries.members("session.started")), as: .ocsf)
        var broken = try #require(event.object)
        broken["service"] = nil
        #expect(Self.faults(of: .object(broken)).contains { $0.contains("needs one of") })
        broken = try #require(event.object)
        broken["made_up"] = 1
        #expect(Self.faults(of: .object(broken)) == ["/made_up is no attribute"])
        broken = try #require(event.object)
        broken["activity_id"] = 77
        #expect(!Self.faults(of: .object(broken)).isEmpty)
        broken = try #require(event.object)
        broken["time"] = "2026"
        #expect(!Self.faults(of: .object(broken)).isEmpty)
    }

    @Test(arguments: [
        ("session.started", 3002, 1), ("token.issued", 3002, 1), ("session.ended", 3002, 2), ("user.created", 3001, 1),
        ("user.deactivated", 3001, 5), ("person.ended", 3001, 5), ("account.second_factor_added", 3001, 10),
        ("grant.created", 3005, 1), ("grant.killed", 3005, 2), ("grant.suspended", 3005, 2),
        ("integration.updated", 3004, 3), ("workspace.removed", 3004, 4), ("app.disabled", 3004, 9),
        ("audit.read", 6003, 2), ("ext.payroll.read", 6003, 99), ("nobody.knows_this", 6003, 99),
    ])
    func `actions become events of their class`(_ action: String, uid: Int64, activity: Int64) throws {
        let event = try Entries.document(try Entries.entry(Entries.members(action)), as: .ocsf)
        #expect(event["class_uid"]?.int64 == uid)
        #expect(event["activity_id"]?.int64 == activity)
        #expect(event["metadata"]?["version"] == "1.8.0")
        #expect(Self.faults(of: event) == [])
    }

    /// The shapes that entries have: with and without person, address, credential, of a system's part, refused.
    @Test(arguments: ["session.started", "user.created", "grant.created", "source.updated", "audit.read", "ext.a.b"])
    func `entries of every shape are valid`(_ action: String) throws {
        for target: JSON in [
            ["kind": "user", "id": "usr_1"], ["kind": "person", "id": "per_1"], ["kind": "source", "id": "src_1"],
        ] {
            for actor: JSON in [
                ["kind": "system", "id": "sequencer"], ["kind": "integration_user", "id": "usr_2"],
                ["kind": "member", "id": "usr_3"],
            ] {
                for address: JSON in [.null, "2001:db8::1"] {
                    for person: JSON in [.null, "per_2"] {
                        for after: JSON in [[:], ["scopes": ["people:read"], "operation": "listPeople"]] {
                            let members = Entries.members(
                                action,
                                userAgent: Entries.hostile[3],
                                address: address,
                                actor: actor,
                                target: target,
                                person: person,
                                outcome: "refused",
                                after: after
                            )
                            let event = try Entries.document(try Entries.entry(members), as: .ocsf)
                            #expect(Self.faults(of: event) == [])
                        }
                    }
                }
            }
        }
    }

    @Test func `what OCSF has no place for is kept by its own name`() throws {
        let event = try Entries.document(try Entries.entry(), as: .ocsf)
        #expect(event["time"] == 1_795_251_600_012)
        #expect(event["metadata"]?["sequence"] == 41)
        #expect(event["actor"]?["user"]?["credential_uid"] == "tok_01k9qyc5qje1qsv9svhrqgc8d7")
        #expect(event["user"] == ["uid": "per_01k9qyc5qje1qsv9svhrqgc8d3"])
        let unmapped = try #require(event["unmapped"]?.object)
        #expect(unmapped["on_behalf_of"]?.array?.count == 2)
        #expect(unmapped["after"] == ["status": "suspended"])
        #expect(unmapped["hash"]?.string == (try Entries.entry()).hash)
        // Nothing of the entry is lost: each field is at its place, or here.
        #expect(unmapped["authority_version"] == 3)
    }
}
