import Filter
import Transparency

/// How a mapping decides what happened.
struct KindRules: Sendable {
    /// Plain names for what rules ask, also of members whose names a filter cannot write. A filter asks a name that is
    /// not among them of the event itself.
    let names: [String: MappedValue]
    /// In order; the first that holds decides.
    let rules: [MappingRule]

    /// The rule that holds. Refuses an event of which no rule holds, and a word that a rule asks for and nobody knows.
    func decision(
        on event: PayloadPart,
        occurredAt: Timestamp?
    ) throws(MappingError) -> MappingRule {
        var known: [String: JSON] = [:]
        for rule in rules {
            for name in rule.asked where known[name] == nil {
                known[name] = try names[name]?.value(in: event) ?? .null
            }
            let subject = RuleSubject(event: event.value, known: known)
            guard rule.when?.matches(subject, caseExact: { _ in true }) ?? true,
                try rule.liesAhead(of: occurredAt, in: event, names: names)
            else { continue }
            return rule
        }
        throw refusal(of: event, known)
    }

    /// A name without a value explains it best; else the first that was asked.
    private func refusal(of event: PayloadPart, _ known: [String: JSON]) -> MappingError {
        let asked = rules.flatMap(\.asked)
        if let missing = asked.first(where: { known[$0]?.isNull == true }), let place = names[missing]?.place {
            return event.error(place, "is missing")
        }
        guard let place = asked.first.flatMap({ names[$0]?.place }) else {
            return event.error(.whole, "is nothing that this mapping knows")
        }
        return event.error(place, "is, with what else is said, nothing that this mapping knows")
    }
}

/// One rule: which events it is about, and what those mean.
struct MappingRule: Sendable {
    /// nil: every event that comes so far.
    let when: Filter?
    /// The name of a date that has to be later than the event itself.
    let ahead: String?
    /// nil: such an event says nothing about anybody's coming and going.
    let kind: EventKind?
    /// nil: as the mapping says for all.
    let effectiveAt: MappedValue?
    /// The names that `when` asks, in its order.
    let asked: [String]

    func liesAhead(
        of occurredAt: Timestamp?,
        in event: PayloadPart,
        names: [String: MappedValue]
    ) throws(MappingError) -> Bool {
        guard let ahead, let name = names[ahead], let date = try name.effective(in: event) else { return ahead == nil }
        guard let occurredAt else {
            throw event.error(name.place, "is a date that no time of the event can be compared with")
        }
        // Without a zone to take the day in, UTC is off by hours at most; what is decided so takes nothing away.
        switch date {
        case .instant(let instant): return occurredAt < instant
        case .date(let day): return occurredAt < Timestamp(seconds: day.daysSinceEpoch * 86_400)
        }
    }
}

extension Filter.Expression {
    /// Every attribute that is asked for, in the order of the text.
    var paths: [AttributePath] {
        switch self {
        case .or(let operands), .and(let operands): operands.flatMap(\.paths)
        case .not(let operand): operand.paths
        case .comparison(let path, _, _), .present(let path), .element(let path, _): [path]
        }
    }
}

/// An event as the filters of rules see it: the names of the mapping first, then the event's own members.
private struct RuleSubject: FilterSubject {
    let event: JSON
    let known: [String: JSON]

    func values(at path: AttributePath) -> [FilterOperand] {
        if path.uri == nil, let value = known[path.attribute] {
            let renamed: JSON.Object = [path.attribute: value]
            return JSONFilterSubject(renamed).values(at: path)
        }
        return event.object.map { JSONFilterSubject($0).values(at: path) } ?? []
    }
}
