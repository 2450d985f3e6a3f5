import Domain
import Postgres
import Transparency

/// An event whose turn it is.
struct DueEvent {
    let id: EventID
    let attempts: Int
    let canonical: CanonicalEvent
    let position: EventPosition
    let attribution: Attribution
}

/// What the planner needs to know about the claimed persons, read in one flight and one more for their accounts.
struct ProvisioningWorld {
    var states: [EventApplication.Lane: PersonState] = [:]
    var events: [EventApplication.Lane: DueEvent] = [:]
    var reevaluated: Set<EventApplication.Lane> = []
    /// By whom a re-evaluation is done for each source.
    var attributions: [SourceID: Attribution] = [:]
    var integrations: [ProvisionedIntegration] = []

    static func load(
        _ lanes: [EventApplication.Lane],
        in transaction: OrganizationTransaction
    ) async throws -> ProvisioningWorld {
        var world = ProvisioningWorld()
        let results = try await transaction.pipeline([
            lanesAndPeople(lanes), dueEvents(lanes, at: transaction.startedAt), users(lanes), grants(lanes), rules,
        ])
        for row in results[0] { try world.addLane(row, at: transaction.startedAt) }
        for row in results[1] { try world.addEvent(row) }
        try world.addUsers(results[2], grants: results[3])
        world.integrations = try results[4].map(ProvisionedIntegration.init(row:))
        return world
    }

    /// Of these persons, those who had no event to apply: what they are asked for besides, a re-evaluation, is made.
    func lanesWithoutEvent(_ lanes: [EventApplication.Lane]) -> [EventApplication.Lane] {
        lanes.filter { events[$0] == nil }
    }

    // MARK: Statements

    private static func wanted(_ lanes: [EventApplication.Lane]) -> SQL {
        "unnest(\(lanes.map(\.source)), \(lanes.map(\.externalID))) AS w(source_id, external_id)"
    }

    private static func lanesAndPeople(_ lanes: [EventApplication.Lane]) -> SQL {
        """
        SELECT l.source_id, l.external_id, l.applied_at, l.applied_sequence, l.applied_ordinal, l.reevaluate,
            s.user_id, p.id AS person_id, p.status, p.attributes
        FROM \(wanted(lanes))
        JOIN lanes l USING (source_id, external_id)
        JOIN sources s ON s.id = l.source_id
        LEFT JOIN people p ON (p.source_id, p.external_id) = (l.source_id, l.external_id)
        """
    }

    private static func dueEvents(_ lanes: [EventApplication.Lane], at now: Timestamp) -> SQL {
        """
        SELECT e.id, e.source_id, e.external_id, e.kind, e.sender_event_id, e.occurred_at, e.position_at, e.sequence,
            e.ordinal, e.person, e.attempts, d.id AS delivery_id, d.received_at, d.request_id, d.trace_id,
            d.client_address, d.user_agent, s.user_id,
            CASE WHEN e.kind IN ('leaver', 'revoke-now', 'deleted') THEN EXISTS (
                SELECT FROM events a
                WHERE a.organization_id = d.organization_id AND a.source_id = e.source_id
                    AND a.external_id = e.external_id AND a.status = 'applied'
                    AND a.kind IN ('joiner', 'rehire', 'leaver-cancelled')
                    AND (a.position_at, a.sequence, a.ordinal) > (e.position_at, e.sequence, e.ordinal))
            ELSE false END AS is_readmitted
        FROM \(wanted(lanes))
        CROSS JOIN LATERAL (
            SELECT due.id, due.source_id, due.external_id, due.kind, due.sender_event_id, due.occurred_at,
                due.position_at, due.sequence, due.ordinal, due.person, due.attempts, due.delivery_id
            FROM events due
            WHERE due.source_id = w.source_id AND due.external_id = w.external_id AND due.status = 'pending'
                AND due.due_at <= \(now)
                AND (due.kind IN ('leaver', 'revoke-now', 'deleted') OR NOT EXISTS (
                    SELECT FROM events f
                    WHERE f.source_id = w.source_id AND f.external_id = w.external_id AND f.status = 'pending'
                        AND f.attempts > 0 AND f.due_at > \(now)
                        AND (f.position_at, f.sequence, f.ordinal) < (due.position_at, due.sequence, due.ordinal)))
            ORDER BY due.position_at, due.sequence, due.ordinal
            LIMIT 1) e
        JOIN deliveries d ON d.id = e.delivery_id
        JOIN sources s ON s.id = e.source_id AND s.status <> 'paused'
        """
    }

    // LATERAL with OFFSET 0 goes from the claimed persons to their rows, whatever the planner believes: without
    // statistics, as on a database that is being filled, it takes one organization for one row and reads them all.
    private static func people(_ lanes: [EventApplication.Lane]) -> SQL {
        """
        \(wanted(lanes))
        CROSS JOIN LATERAL (
            SELECT k.organization_id, k.id FROM people k
            WHERE k.source_id = w.source_id AND k.external_id = w.external_id OFFSET 0) p
        """
    }

    private static func users(_ lanes: [EventApplication.Lane]) -> SQL {
        """
        SELECT w.source_id, w.external_id, u.id, u.kind, u.username, u.integration_id
        FROM \(people(lanes))
        CROSS JOIN LATERAL (
            SELECT a.id, a.kind, a.username, a.integration_id FROM users a
            WHERE a.organization_id = p.organization_id AND a.person_id = p.id AND a.status = 'active' OFFSET 0) u
        """
    }

    private static func grants(_ lanes: [EventApplication.Lane]) -> SQL {
        """
        SELECT g.id, g.user_id, g.scopes, g.ip_allow_list, g.rule_version, g.rule_integration_id
        FROM \(people(lanes))
        CROSS JOIN LATERAL (
            SELECT a.organization_id, a.id FROM users a
            WHERE a.organization_id = p.organization_id AND a.person_id = p.id AND a.status = 'active' OFFSET 0) u
        CROSS JOIN LATERAL (
            SELECT h.id, h.user_id, h.scopes, h.ip_allow_list, h.rule_version, h.rule_integration_id FROM grants h
            WHERE h.organization_id = u.organization_id AND h.user_id = u.id AND h.status <> 'ended' OFFSET 0) g
        """
    }

    private static let rules: SQL = """
        SELECT id, slug, name, version, workspace_id, scopes, rule, grant_lifetime, ip_allow_list
        FROM integrations WHERE status = 'active' AND rule IS NOT NULL ORDER BY id
        """

    // MARK: Rows

    private mutating func addLane(_ row: PostgresRow, at now: Timestamp) throws {
        let lane = try EventApplication.Lane(row)
        var applied: EventPosition?
        if let time = try row.decode("applied_at", as: Timestamp?.self) {
            applied = EventPosition(
                time: time,
                sequence: try row.decode("applied_sequence"),
                ordinal: Int(try row.decode("applied_ordinal", as: Int32.self))
            )
        }
        guard let externalID = ExternalID(lane.externalID) else {
            throw row.refusal(of: "external_id", because: .malformed("not an external id"))
        }
        var state = PersonState(lane: .init(source: lane.source, externalID: externalID, applied: applied))
        if let id = try row.decode("person_id", as: PersonID?.self) {
            state.person = .init(
                id: id,
                status: try row.word("status"),
                canonical: try CanonicalPerson(attributes: try row.jsonObject("attributes"))
            )
        }
        states[lane] = state
        if try row.decode("reevaluate", as: Bool.self) { reevaluated.insert(lane) }
        let user = try row.decode("user_id", as: UserID.self)
        attributions[lane.source] = Attribution(actor: .integrationUser(user), receivedAt: now)
    }

    private mutating func addEvent(_ row: PostgresRow) throws {
        let kind = try row.word("kind", as: EventKind.self)
        let id = try row.decode("id", as: EventID.self)
        let canonical = CanonicalEvent(
            kind: kind,
            senderID: try row.decode("sender_event_id"),
            occurredAt: try row.decode("occurred_at"),
            effectiveAt: nil,
            person: kind == .ping ? nil : try CanonicalPerson(attributes: try row.jsonObject("person"))
        )
        let lane = try EventApplication.Lane(row)
        let isReadmitted = try row.decode("is_readmitted", as: Bool.self)
        states[lane]?.lane.isReadmitted = isReadmitted
        events[lane] = DueEvent(
            id: id,
            attempts: Int(try row.decode("attempts", as: Int32.self)),
            canonical: canonical,
            position: EventPosition(
                time: try row.decode("position_at"),
                sequence: try row.decode("sequence"),
                ordinal: Int(try row.decode("ordinal", as: Int32.self))
            ),
            attribution: try Attribution(ofDelivery: row, id: try row.decode("delivery_id"), event: id)
        )
    }

    private mutating func addUsers(_ users: PostgresRows, grants: PostgresRows) throws {
        var grantsOfUser: [UserID: [PersonState.KnownGrant]] = [:]
        for row in grants {
            grantsOfUser[try row.decode("user_id"), default: []].append(
                PersonState.KnownGrant(
                    id: try row.decode("id"),
                    scopes: try row.scopes("scopes"),
                    ipAllowList: try row.networks("ip_allow_list"),
                    ruleVersion: try row.decode("rule_version"),
                    isOfRule: try row.decode("rule_integration_id", as: IntegrationID?.self) != nil
                )
            )
        }
        for row in users {
            let id = try row.decode("id", as: UserID.self)
            let user = PersonState.KnownUser(
                id: id,
                username: try row.decode("username"),
                integration: try row.decode("integration_id"),
                grants: grantsOfUser[id] ?? []
            )
            let lane = try EventApplication.Lane(row)
            switch try row.word("kind", as: UserKind.self) {
            case .member: states[lane]?.member = user
            case .integration: states[lane]?.integrationUsers.append(user)
            }
        }
    }
}

extension EventApplication.Lane {
    init(_ row: PostgresRow) throws {
        self.init(source: try row.decode("source_id"), externalID: try row.decode("external_id"))
    }
}

extension ProvisionedIntegration {
    init(row: PostgresRow) throws {
        self.init(
            id: try row.decode("id"),
            slug: try row.parse("slug"),
            name: try row.decode("name"),
            version: try row.decode("version"),
            workspace: try row.decode("workspace_id"),
            scopes: try row.scopes("scopes"),
            rule: try row.parse("rule"),
            lifetime: try row.parse("grant_lifetime"),
            ipAllowList: try row.networks("ip_allow_list")
        )
    }
}
