import Domain
import Postgres
import Transparency

/// Gathers the steps of many plans, and writes each kind of them with one statement over a set.
struct PlanWriter {
    private let now: Timestamp
    private let organization: OrganizationID
    private let ruleVersions: [IntegrationID: Int64]
    private(set) var recorded: [Recorded] = []

    private var createdPeople: [(lane: EventApplication.Lane, id: PersonID, person: CanonicalPerson, PersonStatus)] = []
    private var updatedPeople: [(id: PersonID, person: CanonicalPerson, status: PersonStatus)] = []
    private var createdUsers: [NewUser] = []
    private var createdGrants: [NewGrant] = []
    private var updatedGrants: [(id: GrantID, integration: ProvisionedIntegration)] = []
    private var endedUsers: [UserID] = []
    private var ending: [UserID: Ending] = [:]
    private var settled: [(id: EventID, status: String, reason: String?)] = []
    private var positions: [(lane: EventApplication.Lane, position: EventPosition)] = []
    private var superseding: [(lane: EventApplication.Lane, event: DueEvent)] = []

    private struct NewUser {
        let id: UserID
        let kind: UserKind
        let role: Role
        let username: String
        let person: PersonID
        let integration: IntegrationID?
        let custodian: UserID?
    }

    private struct NewGrant {
        let id: GrantID
        let user: UserID
        let integration: ProvisionedIntegration
        let expiresAt: Timestamp
    }

    /// Why and by whom a user ends, for the links that end with it.
    private struct Ending {
        let person: PersonID
        let reason: Plan.EndReason
        let authority: Authority
        let attribution: Attribution
    }

    /// `integrations` are those by whose rules the plans were computed.
    init(at now: Timestamp, in organization: OrganizationID, integrations: [ProvisionedIntegration]) {
        self.now = now
        self.organization = organization
        ruleVersions = Dictionary(integrations.map { ($0.id, $0.version) }, uniquingKeysWith: max)
    }

    // MARK: Gathering

    mutating func add(
        _ plan: Plan,
        of lane: EventApplication.Lane,
        by attribution: Attribution,
        occurredAt: Timestamp?
    ) {
        for step in plan.steps {
            if case .deactivateUser(let user, let person, let reason) = step {
                ending[user.id] = Ending(
                    person: person,
                    reason: reason,
                    authority: authority(toEnd: user, because: reason, of: lane),
                    attribution: attribution
                )
            }
            var entries = take(step, of: lane)
            for index in entries.indices { entries[index].occurredAt = occurredAt }
            recorded += entries.map { Recorded($0, by: attribution) }
        }
    }

    /// The fate of an event. It has an entry of its own only where no change of it has one.
    mutating func settle(
        _ event: DueEvent,
        as settlement: Plan.Settlement,
        of lane: EventApplication.Lane,
        at applied: EventPosition?,
        supersedes: Bool
    ) {
        let status: String
        var reason: String?
        switch settlement {
        case .applied: status = "applied"
        case .stale: status = "stale"
        case .ignored(let why):
            status = "ignored"
            reason = why.rawValue
        }
        settled.append((event.id, status, reason))
        // A stale event leaves the position where it is; everything else, also what named nobody, moves it on. A leaver
        // that was overtaken takes nothing of it back.
        let wasOvertaken = event.canonical.kind.endsAccess && applied.map { event.position < $0 } ?? false
        if settlement != .stale, event.canonical.kind != .ping, !wasOvertaken {
            positions.append((lane, event.position))
        }
        if supersedes { superseding.append((lane, event)) }
        let hasEntry = recorded.contains { $0.attribution.event == event.id }
        if !hasEntry {
            let draft = AuditDraft(
                .eventSettled,
                .event(event.id),
                reason: reason ?? status,
                occurredAt: event.canonical.occurredAt
            )
            recorded.append(Recorded(draft, by: event.attribution))
        }
    }

    /// An event that no number of tries would apply.
    mutating func bury(_ event: DueEvent, because reason: String) {
        settled.append((event.id, "dead", reason))
        let draft = AuditDraft(.eventDead, .event(event.id), reason: reason, occurredAt: event.canonical.occurredAt)
        recorded.append(Recorded(draft, by: event.attribution))
    }

    private mutating func take(_ step: Plan.Step, of lane: EventApplication.Lane) -> [AuditDraft] {
        let source = Authority.source(lane.source)
        switch step {
        case .createPerson(let id, let person, let status):
            createdPeople.append((lane, id, person, status))
            return [PlanEntries.created(id, person, status, by: source)]
        case .updatePerson(let id, let before, let after, let status):
            updatedPeople.append((id, after, status))
            return [PlanEntries.updated(id, before, after, status, by: source)]
        case .createMember(let id, let username, let person):
            createdUsers.append(
                NewUser(
                    id: id,
                    kind: .member,
                    role: .member,
                    username: username,
                    person: person,
                    integration: nil,
                    custodian: nil
                )
            )
            return [PlanEntries.createdMember(id, username, person, by: source)]
        case .createIntegrationUser(let id, let username, let person, let custodian, let integration):
            createdUsers.append(
                NewUser(
                    id: id,
                    kind: .integration,
                    role: .integration,
                    username: username,
                    person: person,
                    integration: integration.id,
                    custodian: custodian
                )
            )
            return [PlanEntries.createdIntegrationUser(id, username, person, custodian, integration)]
        case .createGrant(let id, let user, let person, let integration, let expiresAt):
            createdGrants.append(NewGrant(id: id, user: user, integration: integration, expiresAt: expiresAt))
            return [PlanEntries.createdGrant(id, user, person, integration, expiresAt)]
        case .updateGrant(let grant, let person, let integration):
            updatedGrants.append((grant.id, integration))
            return [PlanEntries.updatedGrant(grant, person, integration)]
        case .deactivateUser(let user, let person, let reason):
            endedUsers.append(user.id)
            let authority = authority(toEnd: user, because: reason, of: lane)
            return PlanEntries.deactivated(user, person, reason, by: authority)
        }
    }

    /// What a rule began the rule ends: at its version now, or, where it is in force no more, at that of the user's grant.
    private func authority(
        toEnd user: PersonState.KnownUser,
        because reason: Plan.EndReason,
        of lane: EventApplication.Lane
    ) -> Authority {
        guard reason == .ruleEnded, let integration = user.integration else { return .source(lane.source) }
        let version = ruleVersions[integration] ?? user.grants.compactMap(\.ruleVersion).max()
        return version.map { .rule(integration, version: $0) } ?? .source(lane.source)
    }

    // MARK: Statements

    /// Whose tokens are to be judged anew.
    var narrowed: [AccessSubject] {
        endedUsers.map { .user($0) } + updatedGrants.map { .grant($0.id) }
    }

    /// In an order that foreign keys and unique names allow: what ends frees its name before what begins takes one.
    var statements: [SQL] {
        [
            insertPeople, updatePeople, endUsers, endGrants, insertUsers, insertGrants, updateGrants,
            settleEvents, movePositions,
        ].compactMap(\.self)
    }

    private var insertPeople: SQL? {
        guard !createdPeople.isEmpty else { return nil }
        return """
            INSERT INTO people (organization_id, id, source_id, external_id, attributes, status, created_at, updated_at)
            SELECT \(organization), p.id, p.source_id, p.external_id, p.attributes, p.status, \(now), \(now)
            FROM unnest(\(createdPeople.map(\.id)), \(createdPeople.map(\.lane.source)),
                \(createdPeople.map(\.lane.externalID)),
                \(createdPeople.map { PostgresJSON($0.person.attributes) }), \(createdPeople.map(\.3.rawValue)))
                AS p(id, source_id, external_id, attributes, status)
            """
    }

    private var updatePeople: SQL? {
        guard !updatedPeople.isEmpty else { return nil }
        return """
            UPDATE people p SET attributes = n.attributes, status = n.status, version = p.version + 1,
                updated_at = \(now)
            FROM unnest(\(updatedPeople.map(\.id)),
                \(updatedPeople.map { PostgresJSON($0.person.attributes) }),
                \(updatedPeople.map(\.status.rawValue))) AS n(id, attributes, status)
            WHERE p.id = n.id
            """
    }

    private var insertUsers: SQL? {
        guard !createdUsers.isEmpty else { return nil }
        return """
            INSERT INTO users (organization_id, id, kind, role, username, person_id, integration_id, custodian_id, status,
                created_at, updated_at)
            SELECT \(organization), u.id, u.kind, u.role, u.username, u.person_id, u.integration_id, u.custodian_id,
                'active', \(now), \(now)
            FROM unnest(\(createdUsers.map(\.id)), \(createdUsers.map(\.kind.rawValue)),
                \(createdUsers.map(\.role.rawValue)), \(createdUsers.map(\.username)), \(createdUsers.map(\.person)),
                \(createdUsers.map(\.integration)), \(createdUsers.map(\.custodian)))
                AS u(id, kind, role, username, person_id, integration_id, custodian_id)
            """
    }

    private var insertGrants: SQL? {
        guard !createdGrants.isEmpty else { return nil }
        return """
            INSERT INTO grants (organization_id, id, user_id, client_name, workspace_id, scopes, ip_allow_list, expires_at,
                rule_integration_id, rule_version, status, created_at, updated_at)
            SELECT \(organization), g.id, g.user_id, g.client_name, g.workspace_id, string_to_array(g.scopes, ' '),
                string_to_array(g.ip_allow_list, ' '), g.expires_at, g.rule_integration_id, g.rule_version, 'active',
                \(now), \(now)
            FROM unnest(\(createdGrants.map(\.id)), \(createdGrants.map(\.user)),
                \(createdGrants.map(\.integration.name)), \(createdGrants.map(\.integration.workspace)),
                \(createdGrants.map { Lists.text($0.integration.scopes) }),
                \(createdGrants.map { Lists.text($0.integration.ipAllowList) }), \(createdGrants.map(\.expiresAt)),
                \(createdGrants.map(\.integration.id)), \(createdGrants.map(\.integration.version)))
                AS g(id, user_id, client_name, workspace_id, scopes, ip_allow_list, expires_at, rule_integration_id,
                    rule_version)
            """
    }

    private var updateGrants: SQL? {
        guard !updatedGrants.isEmpty else { return nil }
        return """
            UPDATE grants g SET scopes = string_to_array(n.scopes, ' '),
                ip_allow_list = string_to_array(n.ip_allow_list, ' '), rule_version = n.rule_version,
                version = g.version + 1, updated_at = \(now)
            FROM unnest(\(updatedGrants.map(\.id)), \(updatedGrants.map { Lists.text($0.integration.scopes) }),
                \(updatedGrants.map { Lists.text($0.integration.ipAllowList) }),
                \(updatedGrants.map(\.integration.version))) AS n(id, scopes, ip_allow_list, rule_version)
            WHERE g.id = n.id AND g.status <> 'ended'
            """
    }

    private var endUsers: SQL? {
        guard !endedUsers.isEmpty else { return nil }
        return """
            UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = \(now), updated_at = \(now)
            WHERE id = ANY(\(endedUsers)) AND status = 'active'
            """
    }

    private var endGrants: SQL? {
        guard !endedUsers.isEmpty else { return nil }
        return """
            UPDATE grants SET status = 'ended', epoch = epoch + 1, ended_at = \(now),
                version = version + 1, updated_at = \(now)
            WHERE user_id = ANY(\(endedUsers)) AND status <> 'ended'
            """
    }

    /// Ends open links to what ended, and returns which; to be told with ``recordEndedLink(_:)``.
    var endClaimLinks: SQL? {
        guard !endedUsers.isEmpty else { return nil }
        return """
            UPDATE claim_links l SET ended_at = \(now)
            FROM grants g
            WHERE (g.organization_id, g.id) = (l.organization_id, l.grant_id) AND g.user_id = ANY(\(endedUsers))
                AND l.claimed_at IS NULL AND l.ended_at IS NULL
            RETURNING l.id, g.user_id
            """
    }

    /// Ends what people who are no longer there let apps do, and returns which; to be told with
    /// ``recordEndedAuthorization(_:)``.
    var endAuthorizations: SQL? {
        endedUsers.isEmpty ? nil : .endingAuthorizations(of: endedUsers, at: now)
    }

    mutating func recordEndedAuthorization(_ row: PostgresRow) throws {
        recordEnd(.authorizationEnded, .authorization(try row.decode("id")), of: try row.decode("user_id"))
    }

    mutating func recordEndedLink(_ row: PostgresRow) throws {
        recordEnd(.claimLinkEnded, .claimLink(try row.decode("id")), of: try row.decode("user_id"))
    }

    private mutating func recordEnd(_ action: ActionCode, _ target: AuditTarget, of user: UserID) {
        guard let ending = ending[user] else { return }
        let draft = AuditDraft(
            action,
            target,
            reason: ending.reason.rawValue,
            authority: ending.authority,
            person: ending.person
        )
        recorded.append(Recorded(draft, by: ending.attribution))
    }

    /// Takes back scheduled leavers, and returns which; to be told with ``recordSuperseded(_:)``.
    var supersede: SQL? {
        guard !superseding.isEmpty else { return nil }
        return """
            UPDATE events e SET status = 'superseded', reason = 'the leaving was taken back', settled_at = \(now)
            FROM unnest(\(superseding.map(\.lane.source)), \(superseding.map(\.lane.externalID)))
                AS s(source_id, external_id)
            WHERE (e.source_id, e.external_id) = (s.source_id, s.external_id) AND e.status = 'pending'
                AND e.kind = 'leaver' AND e.due_at > \(now) AND e.attempts = 0
            RETURNING e.id, e.source_id, e.external_id, e.occurred_at
            """
    }

    mutating func recordSuperseded(_ row: PostgresRow) throws {
        let lane = try EventApplication.Lane(row)
        guard let cause = superseding.first(where: { $0.lane == lane })?.event else { return }
        let draft = AuditDraft(
            .eventSettled,
            .event(try row.decode("id")),
            reason: "superseded",
            after: ["superseded_by": .string(cause.id.description)],
            occurredAt: try row.decode("occurred_at")
        )
        recorded.append(Recorded(draft, by: cause.attribution))
    }

    private var settleEvents: SQL? {
        guard !settled.isEmpty else { return nil }
        return """
            UPDATE events e SET status = s.status, reason = s.reason, settled_at = \(now)
            FROM unnest(\(settled.map(\.id)), \(settled.map(\.status)), \(settled.map(\.reason)))
                AS s(id, status, reason)
            WHERE e.id = s.id AND e.status = 'pending'
            """
    }

    private var movePositions: SQL? {
        guard !positions.isEmpty else { return nil }
        return """
            UPDATE lanes l SET applied_at = p.time, applied_sequence = p.sequence, applied_ordinal = p.ordinal
            FROM unnest(\(positions.map(\.lane.source)), \(positions.map(\.lane.externalID)),
                \(positions.map(\.position.time)), \(positions.map(\.position.sequence)),
                \(positions.map { Int32($0.position.ordinal) }))
                AS p(source_id, external_id, time, sequence, ordinal)
            WHERE (l.source_id, l.external_id) = (p.source_id, p.external_id)
            """
    }
}
