import Filter
import Transparency

/// A resource held as JSON: how a person is made a subject, in a few lines.
struct JSONSubject: FilterSubject {
    let members: JSON.Object

    init(_ members: JSON.Object) {
        self.members = members
    }

    init(json: String) throws {
        members = try JSON.parse(text: json).object ?? [:]
    }

    func values(at path: AttributePath) -> [FilterOperand] {
        var holders = [members]
        if let uri = path.uri, let extended = Self.member(uri, of: members)?.object {
            holders = [extended]
        } else if let whole = Self.member(path.description, of: members) {
            return Self.operands(whole)
        } else if path.uri == nil, Self.member(path.attribute, of: members) == nil {
            // Unambiguous without its URN when just one extension has it.
            holders = members.members.filter { $0.key.hasPrefix("urn:") }.compactMap(\.value.object)
                .filter { Self.member(path.attribute, of: $0) != nil }
            if holders.count > 1 { return [] }
        }
        return holders.compactMap { Self.member(path.attribute, of: $0) }.flatMap { value -> [FilterOperand] in
            guard let sub = path.subAttribute else { return Self.operands(value) }
            return Self.elements(value).compactMap { $0.object.flatMap { Self.member(sub, of: $0) } }
                .flatMap(Self.operands)
        }
    }

    private static func member(_ name: String, of members: JSON.Object) -> JSON? {
        members.members.first { AttributePath.sameName($0.key, name) }?.value
    }

    private static func elements(_ value: JSON) -> [JSON] {
        value.array ?? [value]
    }

    private static func operands(_ value: JSON) -> [FilterOperand] {
        elements(value).compactMap { element in
            switch element {
            case .object(let members): members.isEmpty ? nil : .complex(JSONSubject(members))
            case .string(let text): .string(text)
            case .bool(let value): .bool(value)
            case .number(let number): number.double.map(FilterOperand.number)
            case .null, .array: nil
            }
        }
    }
}

enum People {
    static let barbara = """
        {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
                     "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
         "userName": "bjensen", "externalId": "Bj-1", "title": "", "userType": "Employee", "active": true, "age": 41.5,
         "nickName": null, "photos": [], "name": {"familyName": "O'Malley", "givenName": "Barbara"},
         "emails": [{"value": "bjensen@example.com", "type": "work", "primary": true},
                    {"value": "babs@home.example.org", "type": "home"}],
         "ims": [{"value": "b@foo.com", "type": "aim"}], "tags": ["red", "Green"], "address": {},
         "meta": {"lastModified": "2011-05-13T04:42:34.500Z", "resourceType": "User"},
         "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
            {"department": "Finance", "manager": {"value": "e-1"}, "costCenter": "4130"},
         "urn:example:2.0:Other": {"costCenter": "x", "startDate": "2026-12-01"}}
        """
}
