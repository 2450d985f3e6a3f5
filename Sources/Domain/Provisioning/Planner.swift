/// Computes plans. Pure: the same state, event and integrations give the same plan, except for the ids that it draws.
///
/// Invariants:
/// - An event older than what was applied changes nothing, but for one that ends access: that is outlived by a newer event
///   that gave access alone. In whatever order a leaver and a mover come, access ends.
/// - Only kinds that end access deactivate a member; an attribute never does, whatever its value.
/// - A person without access regains it by a joiner or a rehire alone, and then with new users and new grants: what was
///   ended stays ended.
/// - After an applied event, the person's active integration users are exactly those of the integrations whose rule
///   matches, each with one grant of the rule whose scopes and addresses are the integration's.
package struct Planner: Sendable {
    package let integrations: [ProvisionedIntegration]
    package let now: Timestamp
    private let randomness: any Randomness

    package init(integrations: [ProvisionedIntegration], now: Timestamp, using randomness: any Randomness) {
        self.integrations = integrations
        self.now = now
        self.randomness = randomness
    }

    /// What the event means for a person in that state. Throws only what trying again cannot change; a leaving never throws.
    package func plan(
        _ event: CanonicalEvent,
        at position: EventPosition,
        on state: PersonState
    ) throws(PlanRefusal) -> Plan {
        if event.kind == .ping { return Plan(settlement: .ignored(.ping)) }
        guard var said = event.person else { return Plan(settlement: .ignored(.unknownPerson)) }
        if let applied = state.lane.applied, isStale(event, at: position, after: applied) {
            guard event.kind.endsAccess, !state.lane.isReadmitted, let known = state.person, known.status.hasAccess
            else { return Plan(settlement: .stale) }
            // Late as it is, it ends the access; what it says besides is older than what is known.
            said = known.canonical
        }
        guard let known = state.person else { return try first(event.kind, said, state) }
        switch event.kind {
        case .joiner, .rehire:
            return try present(known, said, .active, state, supersedes: true)
        case .mover:
            guard known.status.hasAccess else {
                return try absent(known, said, .ignored(.noAccess))
            }
            return try present(known, said, known.status, state)
        case .leaverRecorded:
            guard known.status.hasAccess else { return try absent(known, said, .ignored(.noAccess)) }
            return try present(known, said, .leaving, state)
        case .leaverCancelled:
            guard known.status.hasAccess else {
                return try absent(known, said, .ignored(.nothingToCancel))
            }
            return try present(known, said, .active, state, supersedes: true)
        case .leaver: return try ended(known, said, .left, .leaver, state)
        case .revokeNow: return try ended(known, said, .revoked, .revokeNow, state)
        case .deleted: return try ended(known, said, .deleted, .deleted, state)
        case .ping: return Plan(settlement: .ignored(.ping))
        }
    }

    /// What follows when only the integrations changed.
    package func reevaluate(_ state: PersonState) -> Plan {
        guard let known = state.person, known.status.hasAccess else { return Plan(settlement: .applied) }
        return Plan(settlement: .applied, steps: access(of: known.id, known.canonical, state, admits: false))
    }

    /// Older than what was applied: by its own time, or, where the source gave none, by the order of receipt too. So an
    /// event without a time is not made stale by one that is dated ahead of the clock.
    private func isStale(_ event: CanonicalEvent, at position: EventPosition, after applied: EventPosition) -> Bool {
        guard position < applied else { return false }
        let hasOwnTime = event.occurredAt.map { $0 <= position.time } ?? false
        return hasOwnTime || (position.sequence, position.ordinal) < (applied.sequence, applied.ordinal)
    }

    // MARK: Kinds

    private func first(
        _ kind: EventKind,
        _ said: CanonicalPerson,
        _ state: PersonState
    ) throws(PlanRefusal) -> Plan {
        switch kind {
        case .joiner, .rehire, .mover, .leaverRecorded:
            // A mover that overtook its joiner says as much as the joiner did.
            let id = PersonID.make(at: now, using: randomness)
            let empty = PersonState(lane: state.lane)
            guard said.userName != nil else { throw .missingUserName }
            let status: PersonStatus = kind == .leaverRecorded ? .leaving : .active
            return Plan(
                settlement: .applied,
                steps: [.createPerson(id, said, status)] + access(of: id, said, empty, admits: true)
            )
        case .leaver, .revokeNow, .deleted, .leaverCancelled, .ping:
            return Plan(settlement: .ignored(.unknownPerson))
        }
    }

    /// The person has access, or gets it back.
    private func present(
        _ known: PersonState.KnownPerson,
        _ said: CanonicalPerson,
        _ status: PersonStatus,
        _ state: PersonState,
        supersedes: Bool = false
    ) throws(PlanRefusal) -> Plan {
        let after = try laidOver(known, said)
        guard after.userName != nil || state.member != nil || known.status.hasAccess else { throw .missingUserName }
        return Plan(
            settlement: .applied,
            steps: update(known, after, status) + access(of: known.id, after, state, admits: !known.status.hasAccess),
            supersedesScheduledLeavers: supersedes
        )
    }

    /// What is said of somebody without access is kept, and gives none.
    private func absent(
        _ known: PersonState.KnownPerson,
        _ said: CanonicalPerson,
        _ settlement: Plan.Settlement
    ) throws(PlanRefusal) -> Plan {
        Plan(settlement: settlement, steps: update(known, try laidOver(known, said), known.status))
    }

    private func ended(
        _ known: PersonState.KnownPerson,
        _ said: CanonicalPerson,
        _ status: PersonStatus,
        _ reason: Plan.EndReason,
        _ state: PersonState
    ) throws(PlanRefusal) -> Plan {
        // A leaving that cannot be laid over still ends the access: the attributes are what can wait.
        let after: CanonicalPerson
        do { after = try laidOver(known, said) } catch { after = known.canonical }
        let users = state.integrationUsers + [state.member].compactMap(\.self)
        return Plan(
            settlement: .applied,
            steps: update(known, after, status) + users.map { .deactivateUser($0, for: known.id, because: reason) }
        )
    }

    private func laidOver(
        _ known: PersonState.KnownPerson,
        _ said: CanonicalPerson
    ) throws(PlanRefusal) -> CanonicalPerson {
        do { return try known.canonical.updated(by: said) } catch { throw .person(error) }
    }

    private func update(
        _ known: PersonState.KnownPerson,
        _ after: CanonicalPerson,
        _ status: PersonStatus
    ) -> [Plan.Step] {
        guard after != known.canonical || status != known.status else { return [] }
        return [.updatePerson(known.id, before: known, after: after, status)]
    }

    // MARK: Rules

    /// The steps that lead from the users there are to those that the rules call for.
    /// A member account is made for who is new or returns. One that is missing besides was deactivated by an admin, and
    /// stays so, with everything that was made for its person.
    private func access(
        of person: PersonID,
        _ canonical: CanonicalPerson,
        _ state: PersonState,
        admits: Bool
    ) -> [Plan.Step] {
        guard admits || state.member != nil else {
            return state.integrationUsers.map { .deactivateUser($0, for: person, because: .memberDeactivated) }
        }
        var steps: [Plan.Step] = []
        let custodian: UserID
        if let member = state.member {
            custodian = member.id
        } else {
            custodian = UserID.make(at: now, using: randomness)
            steps.append(.createMember(custodian, username: canonical.userName ?? "", for: person))
        }
        let matching = integrations.filter { $0.rule.matches(canonical) }
        for user in state.integrationUsers where !matching.contains(where: { $0.id == user.integration }) {
            steps.append(.deactivateUser(user, for: person, because: .ruleEnded))
        }
        for integration in matching {
            if let user = state.integrationUsers.first(where: { $0.integration == integration.id }) {
                steps += adjust(user, to: integration, for: person)
            } else {
                steps += begin(integration, for: person, canonical, custodian)
            }
        }
        return steps
    }

    private func begin(
        _ integration: ProvisionedIntegration,
        for person: PersonID,
        _ canonical: CanonicalPerson,
        _ custodian: UserID
    ) -> [Plan.Step] {
        let user = UserID.make(at: now, using: randomness)
        let name = "\(integration.slug).\(canonical.userName ?? canonical.externalID.description)"
        return [
            .createIntegrationUser(user, username: name, for: person, custodian: custodian, integration: integration),
            grant(user, integration, person),
        ]
    }

    /// A grant that ran out is not renewed here: its custodian or an admin does that, on the record.
    private func adjust(
        _ user: PersonState.KnownUser,
        to integration: ProvisionedIntegration,
        for person: PersonID
    ) -> [Plan.Step] {
        guard let current = user.grants.first(where: \.isOfRule) else { return [] }
        let isAsCalledFor =
            current.scopes == integration.scopes && current.ipAllowList == integration.ipAllowList
        return isAsCalledFor ? [] : [.updateGrant(current, for: person, integration: integration)]
    }

    private func grant(
        _ user: UserID,
        _ integration: ProvisionedIntegration,
        _ person: PersonID
    ) -> Plan.Step {
        .createGrant(
            GrantID.make(at: now, using: randomness),
            user: user,
            for: person,
            integration: integration,
            expiresAt: now + integration.lifetime.duration
        )
    }
}
