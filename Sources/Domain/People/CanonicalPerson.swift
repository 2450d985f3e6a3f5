package import Transparency

/// The source's own, immutable id of a person. Never an email address by our doing.
package struct ExternalID: Hashable, Sendable, LosslessStringConvertible {
    package let description: String

    /// 1 to 256 characters without control characters.
    package init?(_ description: String) {
        let isPrintable = description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard isPrintable, (1...256).contains(description.unicodeScalars.count) else { return nil }
        self.description = description
    }
}

/// A person under SCIM's names (RFC 7643 4.1, 4.3, and Rollcall's worker extension): what rules ask and the API shows.
package struct CanonicalPerson: Sendable, Hashable {
    package let externalID: ExternalID
    /// Every attribute as mapped, `externalId` included.
    package let attributes: JSON.Object

    /// The schema of department, manager and employee number.
    package static let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    /// The schema of start, end and status at the source.
    package static let worker = "urn:rollcall:params:scim:schemas:extension:worker:2.0:Worker"

    /// Attributes of one person at most, top level and extensions together.
    package static let mostAttributes = 200

    /// Refuses a person without a usable `externalId`, one of more than ``mostAttributes``, and attributes that accounts or
    /// rules depend on and that are of another type. Everything else is kept as it is.
    package init(attributes: JSON.Object) throws(PersonError) {
        guard let id = attributes["externalId"] else { throw PersonError("/externalId", "is missing") }
        guard let text = id.string, let externalID = ExternalID(text) else {
            throw PersonError("/externalId", "is not a text of 1 to 256 characters")
        }
        self.externalID = externalID
        self.attributes = attributes
        try checkShapes()
    }

    package subscript(_ attribute: String) -> JSON? { attributes[attribute] }

    /// The account name; nil where the source did not say one.
    package var userName: String? { attributes["userName"]?.string }

    /// This person with a newer statement laid over it by the rules of RFC 7396: what the statement does not name
    /// stays, null removes.
    package func updated(by newer: CanonicalPerson) throws(PersonError) -> CanonicalPerson {
        try CanonicalPerson(attributes: attributes.merged(with: newer.attributes))
    }

    /// Every attribute by its path, extensions opened: what an audit entry discloses one by one.
    package var personalValues: [(name: String, value: JSON)] {
        attributes.members.filter { $0.key != "externalId" }.flatMap { member in
            guard member.key.hasPrefix("urn:"), let extended = member.value.object else {
                return [(name: member.key, value: member.value)]
            }
            return extended.members.map { (name: member.key + ":" + $0.key, value: $0.value) }
        }
    }

    private func checkShapes() throws(PersonError) {
        guard personalValues.count <= Self.mostAttributes else {
            throw PersonError("", "has more than \(Self.mostAttributes) attributes")
        }
        // The log tells attributes in canonical form, which has no room for a number that a double does not hold.
        do { _ = try JSON.object(attributes).canonical() } catch {
            throw PersonError("", "holds a number that cannot be kept exactly")
        }
        if let name = attributes["userName"], !name.isNull {
            guard let text = name.string, (1...256).contains(text.unicodeScalars.count),
                text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F })
            else { throw PersonError("/userName", "is not a text of 1 to 256 characters without spaces") }
        }
        if let active = attributes["active"], !active.isNull, active.bool == nil {
            throw PersonError("/active", "is neither true nor false")
        }
        for member in attributes.members where member.key.hasPrefix("urn:") {
            guard member.value.object != nil || member.value.isNull else {
                throw PersonError("/" + member.key, "is not an object")
            }
        }
    }
}

/// What is wrong with a person, by JSON pointer into it.
package struct PersonError: Error, Sendable, Equatable {
    package let pointer: String
    package let problem: String

    package init(_ pointer: String, _ problem: String) {
        self.pointer = pointer
        self.problem = problem
    }
}

extension JSON.Object {
    /// RFC 7396.
    package func merged(with patch: JSON.Object) -> JSON.Object {
        var merged = self
        for (key, value) in patch.members {
            if value.isNull {
                merged[key] = nil
            } else if let object = value.object {
                merged[key] = .object((merged[key]?.object ?? [:]).merged(with: object))
            } else {
                merged[key] = value
            }
        }
        return merged
    }
}

/// Where a person stands with the company.
package enum PersonStatus: String, Sendable, CaseIterable {
    case active
    /// A leaver is recorded and not yet effective: access stays.
    case leaving
    case left
    /// Access was revoked at once; whether they left is not said.
    case revoked
    /// Deleted at the source.
    case deleted

    /// Whether rules give such a person access.
    package var hasAccess: Bool { self == .active || self == .leaving }
}
