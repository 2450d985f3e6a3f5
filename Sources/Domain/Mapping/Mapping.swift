import Transparency

/// How a sender's payload becomes canonical events, as data: a YAML file under Mappings/.
///
/// Pointers are RFC 6901 into one event of the payload. A value that is not of the expected form is refused with its
/// pointer; a kind or a word that the file does not name is refused, never guessed. What is refused of one event of a
/// payload costs the others nothing.
package struct Mapping: Sendable {
    /// The name by which a source chooses it; the same as the file's.
    package let name: String
    /// Facts that were not confirmed with the sender itself, one short sentence each, for the admin who chooses it.
    package let unconfirmed: [String]
    /// Where the events are: each pointer is tried in turn, an array's elements are one event each; the empty pointer is
    /// the whole payload.
    let events: [PayloadPointer]
    let kinds: KindRules
    let id: MappedValue?
    let occurredAt: MappedValue?
    let effectiveAt: MappedValue?
    /// Where the person is; attributes are taken from there.
    let person: PayloadPointer
    /// nil takes the person as it is.
    let attributes: MappedAttribute?
    let habits: PayloadPart.Habits
    /// Payloads for trying a source, by name; none of a sender that nobody described.
    package let samples: [MappingSample]

    /// What a payload said.
    package struct Reading: Sendable {
        /// In the payload's order.
        package var events: [Placed] = []
        /// What was refused, one error for each event that cannot be told.
        package var refusals: [MappingError] = []

        /// An event and its place among those of its payload, from 0: those that were refused or say nothing count too.
        package struct Placed: Sendable {
            package let ordinal: Int
            package let event: CanonicalEvent
        }
    }

    // MARK: Reading a payload

    /// What one delivery's body says. Throws where the whole cannot be told.
    package func read(_ body: [UInt8]) throws(MappingError) -> Reading {
        let payload: JSON
        do { payload = try JSON.parse(body) } catch { throw MappingError(pointer: "", problem: "\(error)") }
        guard payload.object != nil else { throw MappingError(pointer: "", problem: "is not an object") }
        let found = try located(in: payload)
        guard found.count <= CanonicalEvent.mostPerDelivery else {
            throw MappingError(pointer: "", problem: "holds more than \(CanonicalEvent.mostPerDelivery) events")
        }
        var reading = Reading()
        for (ordinal, part) in found.enumerated() {
            do throws(MappingError) {
                guard let event = try event(of: part) else { continue }
                reading.events.append(Reading.Placed(ordinal: ordinal, event: event))
            } catch {
                reading.refusals.append(error)
            }
        }
        return reading
    }

    private func located(in payload: JSON) throws(MappingError) -> [PayloadPart] {
        for pointer in events {
            guard let value = payload[pointer: pointer.description] else { continue }
            guard let array = value.array else {
                return [PayloadPart(value: value, base: pointer.description, habits: habits)]
            }
            return array.enumerated().map { place, element in
                PayloadPart(value: element, base: "\(pointer)/\(place)", habits: habits)
            }
        }
        throw MappingError(pointer: events.first?.description ?? "", problem: "is missing")
    }

    /// nil for an event that says nothing about a person.
    private func event(of part: PayloadPart) throws(MappingError) -> CanonicalEvent? {
        guard part.value.object != nil else { throw part.error(.whole, "is not an object") }
        let occurred = try occurredAt?.time(in: part)
        let rule = try kinds.decision(on: part, occurredAt: occurred)
        guard let kind = rule.kind else { return nil }
        return CanonicalEvent(
            kind: kind,
            senderID: try id?.text(in: part).map { String($0.prefix(256)) },
            occurredAt: occurred,
            effectiveAt: try (rule.effectiveAt ?? effectiveAt)?.effective(in: part),
            person: kind == .ping ? nil : try person(of: part)
        )
    }

    private func person(of event: PayloadPart) throws(MappingError) -> CanonicalPerson {
        guard let part = event.part(person), var said = part.value.object else {
            throw event.error(person, "is missing or not an object")
        }
        if let attributes { said = try attributes.made(of: part)?.object ?? [:] }
        do {
            return try CanonicalPerson(attributes: said)
        } catch {
            let place = attributes?.place(error.names)?.description ?? (attributes == nil ? error.pointer : "")
            throw MappingError(pointer: part.base + place, problem: error.problem)
        }
    }
}

extension PersonError {
    /// The tokens of its pointer. Names of attributes hold neither `~` nor `/`, URNs included.
    fileprivate var names: [String] {
        pointer.split(separator: "/").map(String.init)
    }
}

/// Why a payload, or an event of one, could not be mapped. Holds no value of the payload.
package struct MappingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// RFC 6901, into the payload.
    package let pointer: String
    package let problem: String

    package init(pointer: String, problem: String) {
        self.pointer = pointer
        self.problem = problem
    }

    package var description: String { "\(pointer.isEmpty ? "the body" : pointer) \(problem)" }
}

/// Why a mapping's file was not loaded.
package struct MappingFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package let file: String
    /// The path of the field, as `rules[2].when`; empty for the whole file.
    package let field: String
    package let problem: String

    package var description: String { field.isEmpty ? "\(file) \(problem)" : "\(file): \(field) \(problem)" }
}
