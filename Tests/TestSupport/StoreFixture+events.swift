package import Domain
package import Storage
package import Transparency

extension StoreFixture {
    /// Keeps a delivery of that body as if its signature had been right.
    @discardableResult
    package func deliver(
        _ body: JSON,
        from source: TestSource,
        id: String? = nil,
        signedAt: Timestamp? = nil,
        isBodyProved: Bool = true
    ) async throws -> DeliveryAcceptance.Receipt {
        try await store.perform(
            acceptance(of: body.bytes, from: source, id: id, signedAt: signedAt, isBodyProved: isBodyProved),
            in: source.organization
        )
    }

    /// The change that keeps a delivery; `id` nil draws one.
    package func acceptance(
        of body: [UInt8],
        from source: TestSource,
        id: String? = nil,
        signedAt: Timestamp? = nil,
        isBodyProved: Bool = true,
        notesKeyUse: Bool = false
    ) -> DeliveryAcceptance {
        let delivery = store.newID(DeliveryID.self)
        let request = store.newID(Domain.RequestID.self)
        let now = clock.now()
        return DeliveryAcceptance(
            id: delivery,
            source: source.id,
            receivedAt: now,
            signedAt: signedAt,
            deduplication: Array((id ?? delivery.description).utf8),
            headers: ["webhook-id": .string(id ?? delivery.description)],
            body: body,
            key: source.key,
            isBodyProved: isBodyProved,
            notesKeyUse: notesKeyUse,
            request: request,
            attribution: Attribution(
                actor: .integrationUser(source.user),
                origin: .init(request: request, address: IPAddress("192.0.2.7"), userAgent: "hr/1"),
                receivedAt: now
            )
        )
    }

    /// Maps and applies everything that is due now, as a worker would.
    package func settle(at most: Int = 50) async throws {
        let mapping = DeliveryMapping(mappings: try Mapping.embedded(), profiles: try SigningProfile.embedded())
        while try await store.performNext(mapping, most: most) > 0 {}
        while try await store.performNext(EventApplication(), most: most) > 0 {}
    }

    /// The canonical payload of one event about one person.
    package func event(
        _ kind: EventKind,
        _ externalID: String = "e-1001",
        userName: String? = "ada@acme.example",
        department: String? = "Finance",
        occurredAt: String? = nil,
        effectiveAt: String? = nil
    ) -> JSON {
        var person: JSON.Object = ["externalId": .string(externalID)]
        if let userName {
            person["userName"] = .string(userName)
            person["name"] = ["givenName": "Ada", "familyName": "Lovelace"]
        }
        if let department {
            person[CanonicalPerson.enterprise] = ["department": .string(department)]
        }
        var event: JSON.Object = ["type": .string(kind.rawValue), "person": .object(person)]
        event["occurred_at"] = occurredAt.map(JSON.string)
        event["effective_at"] = effectiveAt.map(JSON.string)
        return .object(event)
    }
}
