import Transparency
import Yams

/// How a sender's payload becomes canonical events, as data: a YAML file under Mappings/.
///
/// Pointers are RFC 6901 into one event of the payload. A value that is not of the expected form is refused with its
/// pointer; a kind that the file does not name is refused, never guessed.
package struct Mapping: Sendable {
    package let name: String
    let definition: Definition

    /// The file's shape. Unknown members refuse the file.
    struct Definition: Sendable, Codable {
        var name: String
        var confirmed: Bool
        /// Where the events are: each pointer is tried in turn, an array's elements are one event each; the empty
        /// pointer is the whole payload.
        var events: [String]
        var kind: Field
        var kinds: [String: String]
        var id: String?
        var occurredAt: String?
        var effectiveAt: String?
        var person: String
        /// Canonical attribute by pointer into the person; nil takes the person as it is.
        var attributes: [String: String]?

        struct Field: Sendable, Codable {
            var pointer: String
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case name, confirmed, events, kind, kinds, id, person, attributes
            case occurredAt = "occurred_at"
            case effectiveAt = "effective_at"
        }
    }

    /// Refuses a file that names an unknown member, kind or pointer form.
    package init(yaml: String, file: String) throws(MappingFileError) {
        do {
            let known = Set(Definition.CodingKeys.allCases.map(\.rawValue))
            let members = try Yams.compose(yaml: yaml)?.mapping?.keys.compactMap(\.string) ?? []
            if let unknown = members.first(where: { !known.contains($0) }) {
                throw MappingFileError(file: file, problem: "has an unknown member \(unknown)")
            }
            definition = try YAMLDecoder().decode(Definition.self, from: yaml)
        } catch let error as MappingFileError {
            throw error
        } catch {
            throw MappingFileError(file: file, problem: "\(error)")
        }
        name = definition.name
        if let unknown = definition.kinds.values.first(where: { EventKind(rawValue: $0) == nil }) {
            throw MappingFileError(file: file, problem: "maps to an unknown kind of event \(unknown)")
        }
    }

    /// The mappings that the program carries, by name.
    package static func embedded() throws(MappingFileError) -> [String: Mapping] {
        let files = [("canonical.yaml", PackageResources.canonical_yaml)]
        var mappings: [String: Mapping] = [:]
        for (file, bytes) in files {
            let mapping = try Mapping(yaml: String(decoding: bytes, as: UTF8.self), file: file)
            mappings[mapping.name] = mapping
        }
        return mappings
    }

    // MARK: Reading a payload

    /// The events of one delivery's body, in its order.
    package func events(in body: [UInt8]) throws(MappingError) -> [CanonicalEvent] {
        let payload: JSON
        do { payload = try JSON.parse(body) } catch { throw MappingError(pointer: "", problem: "\(error)") }
        guard payload.object != nil else { throw MappingError(pointer: "", problem: "is not an object") }
        let found = try located(in: payload)
        guard found.count <= CanonicalEvent.mostPerDelivery else {
            throw MappingError(pointer: "", problem: "holds more than \(CanonicalEvent.mostPerDelivery) events")
        }
        var events: [CanonicalEvent] = []
        for (base, event) in found { events.append(try read(event, at: base)) }
        return events
    }

    private func located(in payload: JSON) throws(MappingError) -> [(base: String, event: JSON)] {
        for pointer in definition.events {
            guard let value = pointer.isEmpty ? payload : payload[pointer: pointer] else { continue }
            guard let array = value.array else { return [(pointer, value)] }
            return array.enumerated().map { ("\(pointer)/\($0.offset)", $0.element) }
        }
        throw MappingError(pointer: definition.events.first ?? "", problem: "is missing")
    }

    private func read(_ event: JSON, at base: String) throws(MappingError) -> CanonicalEvent {
        guard event.object != nil else { throw MappingError(pointer: base, problem: "is not an object") }
        let kindPointer = base + definition.kind.pointer
        guard let word = try text(definition.kind.pointer, of: event, at: base) else {
            throw MappingError(pointer: kindPointer, problem: "is missing")
        }
        guard let kind = definition.kinds[word].flatMap(EventKind.init(rawValue:)) else {
            throw MappingError(pointer: kindPointer, problem: "is an unknown kind of event")
        }
        let occurred = try text(definition.occurredAt, of: event, at: base)
        let effective = try text(definition.effectiveAt, of: event, at: base)
        return CanonicalEvent(
            kind: kind,
            senderID: try text(definition.id, of: event, at: base).map { String($0.prefix(256)) },
            occurredAt: try parsed(occurred, definition.occurredAt, base, "is not an RFC 3339 time", Timestamp.init),
            effectiveAt: try parsed(
                effective,
                definition.effectiveAt,
                base,
                "is neither an RFC 3339 time nor a date",
                CanonicalEvent.Effective.init
            ),
            person: kind == .ping ? nil : try person(of: event, at: base)
        )
    }

    private func person(of event: JSON, at base: String) throws(MappingError) -> CanonicalPerson {
        let here = base + definition.person
        guard let source = definition.person.isEmpty ? event.object : event[pointer: definition.person]?.object else {
            throw MappingError(pointer: here, problem: "is missing or not an object")
        }
        var attributes = source
        if let chosen = definition.attributes {
            attributes = [:]
            for (attribute, pointer) in chosen.sorted(by: { $0.key < $1.key }) {
                attributes[attribute] = JSON.object(source)[pointer: pointer]
            }
        }
        do {
            return try CanonicalPerson(attributes: attributes)
        } catch {
            throw MappingError(pointer: here + error.pointer, problem: error.problem)
        }
    }

    private func text(_ pointer: String?, of event: JSON, at base: String) throws(MappingError) -> String? {
        guard let pointer, let value = event[pointer: pointer], !value.isNull else { return nil }
        if let text = value.string { return text }
        if let number = value.number { return number.literal }
        throw MappingError(pointer: base + pointer, problem: "is not a text")
    }

    private func parsed<Value>(
        _ text: String?,
        _ pointer: String?,
        _ base: String,
        _ problem: String,
        _ parse: (String) -> Value?
    ) throws(MappingError) -> Value? {
        guard let text else { return nil }
        guard let value = parse(text) else { throw MappingError(pointer: base + (pointer ?? ""), problem: problem) }
        return value
    }
}

/// Why a payload could not be mapped. Holds no value of the payload.
package struct MappingError: Error, Sendable, Equatable, CustomStringConvertible {
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
    package let problem: String

    package var description: String { "\(file) \(problem)" }
}
