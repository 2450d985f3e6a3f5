import Domain
import TestSupport
import Testing
import Transparency

@Suite struct PlannerTests {
    private static let now = Timestamp(seconds: 1_795_251_600)
    private static let external = "e-1001"
    private static let finance = #"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Finance""#

    /// Where a person stands before the event.
    enum Before: String, CaseIterable, Sendable {
        case unknown, active, leaving, left, revoked, deleted

        var status: PersonStatus? { PersonStatus(rawValue: rawValue) }
    }

    // MARK: Making

    private static func person(_ department: String? = "Finance", userName: String? = "ada") throws -> CanonicalPerson {
        var attributes: JSON.Object = ["externalId": .string(external)]
        attributes["userName"] = userName.map(JSON.string)
        if let department { attributes[CanonicalPerson.enterprise] = ["department": .string(department)] }
        return try CanonicalPerson(attributes: attributes)
    }

    private static func integration(_ slug: String = "payroll", rule: String = finance) throws -> ProvisionedIntegration
    {
        ProvisionedIntegration(
            id: IntegrationID(high: 7, low: slug == "payroll" ? 1 : 2),
            slug: try #require(Slug(slug)),
            name: slug,
            version: 3,
            workspace: WorkspaceID(high: 8, low: 1),
            scopes: ScopeSet([.peopleRead]),
            rule: try IntegrationRule(parsing: rule),
            lifetime: try #require(ISODuration("P90D")),
            ipAllowList: [try NetworkRange("192.0.2.0/24")]
        )
    }

    private static func user(_ low: UInt64, of integration: ProvisionedIntegration?) -> PersonState.KnownUser {
        let grant = integration.map {
            PersonState.KnownGrant(
                id: GrantID(high: 6, low: low),
                scopes: $0.scopes,
                ipAllowList: $0.ipAllowList,
                ruleVersion: $0.version,
                isOfRule: true
            )
        }
        return PersonState.KnownUser(
            id: UserID(high: 5, low: low),
            username: "user-\(low)",
            integration: integration?.id,
            grants: [grant].compactMap(\.self)
        )
    }

    private static func state(_ before: Before, of integration: ProvisionedIntegration) throws -> PersonState {
        let lane = PersonState.Lane(
            source: SourceID(high: 4, low: 1),
            externalID: try #require(ExternalID(external)),
            applied: before == .unknown ? nil : EventPosition(time: now - .seconds(60), sequence: 1, ordinal: 0)
        )
        guard let status = before.status else { return PersonState(lane: lane) }
        let known = PersonState.KnownPerson(id: PersonID(high: 3, low: 1), status: status, canonical: try person())
        guard status.hasAccess else { return PersonState(lane: lane, person: known) }
        return PersonState(
            lane: lane,
            person: known,
            member: user(1, of: nil),
            integrationUsers: [user(2, of: integration)]
        )
    }

    private static func plan(
        _ kind: EventKind,
        _ said: CanonicalPerson?,
        on state: PersonState,
        _ integrations: [ProvisionedIntegration],
        secondsAgo: Int = 0,
        hasOwnTime: Bool = true
    ) throws -> Plan {
        let time = now - .seconds(secondsAgo)
        let event = CanonicalEvent(
            kind: kind,
            senderID: nil,
            occurredAt: hasOwnTime ? time : nil,
            effectiveAt: nil,
            person: said
        )
        let planner = Planner(integrations: integrations, now: now, using: SeededRandomness())
        let position = EventPosition(time: time, sequence: 2, ordinal: 0)
        return try planner.plan(event, at: position, on: state)
    }

    // MARK: Telling

    private static func told(_ plan: Plan) -> String {
        let settlement =
            switch plan.settlement {
            case .applied: "applied"
            case .stale: "stale"
            case .ignored(let reason): "ignored \(reason.rawValue)"
            }
        let steps = plan.steps.map(word).joined(separator: ", ")
        let over = plan.supersedesScheduledLeavers ? " over leavers" : ""
        return settlement + over + (steps.isEmpty ? "" : ": " + steps)
    }

    /// A step in a word or three.
    private static func word(_ step: Plan.Step) -> String {
        switch step {
        case .createPerson(_, _, let status): "person \(status)"
        case .updatePerson(_, _, _, let status): "becomes \(status)"
        case .createMember: "member"
        case .createIntegrationUser(_, let username, _, _, _): "user \(username)"
        case .createGrant: "grant"
        case .updateGrant: "regrant"
        case .deactivateUser(let user, _, let reason): "end \(user.id.low) \(reason.rawValue)"
        }
    }

    // MARK: The table

    /// Every kind of event on every state, as written down by hand: settlement, then the steps in order.
    private static func expected(_ kind: EventKind, _ before: Before) -> String {
        let begin = "member, user payroll.ada, grant"
        switch (kind, before) {
        case (.ping, _): return "ignored ping"
        case (.joiner, .unknown), (.rehire, .unknown), (.mover, .unknown): return "applied: person active, \(begin)"
        case (.leaverRecorded, .unknown): return "applied: person leaving, \(begin)"
        case (_, .unknown): return "ignored unknown_person"
        case (.joiner, .active), (.rehire, .active), (.leaverCancelled, .active): return "applied over leavers"
        case (.joiner, .leaving), (.rehire, .leaving), (.leaverCancelled, .leaving):
            return "applied over leavers: becomes active"
        case (.joiner, _), (.rehire, _): return "applied over leavers: becomes active, \(begin)"
        case (.mover, .active), (.mover, .leaving), (.leaverRecorded, .leaving): return "applied"
        case (.leaverRecorded, .active): return "applied: becomes leaving"
        case (.mover, _), (.leaverRecorded, _): return "ignored no_access"
        case (.leaverCancelled, _): return "ignored nothing_to_cancel"
        case (.leaver, .left), (.revokeNow, .revoked), (.deleted, .deleted): return "applied"
        case (.leaver, _): return ended("left", "leaver", before)
        case (.revokeNow, _): return ended("revoked", "revoke_now", before)
        case (.deleted, _): return ended("deleted", "deleted", before)
        }
    }

    private static func ended(_ status: String, _ reason: String, _ before: Before) -> String {
        let users = before.status?.hasAccess == true ? ", end 2 \(reason), end 1 \(reason)" : ""
        return "applied: becomes \(status)\(users)"
    }

    @Test(arguments: EventKind.allCases, Before.allCases)
    func `each kind of event on each state`(kind: EventKind, before: Before) throws {
        let payroll = try Self.integration()
        let said = kind == .ping ? nil : try Self.person()
        let plan = try Self.plan(kind, said, on: try Self.state(before, of: payroll), [payroll])
        #expect(Self.told(plan) == Self.expected(kind, before))
    }

    @Test(arguments: EventKind.allCases.filter { $0 != .ping }, Before.allCases.filter { $0 != .unknown })
    func `what is older than what was applied changes nothing`(kind: EventKind, before: Before) throws {
        let payroll = try Self.integration()
        var state = try Self.state(before, of: payroll)
        state.lane.isReadmitted = true
        let plan = try Self.plan(kind, try Self.person("Sales"), on: state, [payroll], secondsAgo: 61)
        #expect(Self.told(plan) == "stale")
    }

    @Test(arguments: EventKind.allCases.filter(\.endsAccess), [Before.active, .leaving])
    func `a leaving that a mover overtook ends the access, and says nothing else`(
        kind: EventKind,
        before: Before
    ) throws {
        let payroll = try Self.integration()
        let state = try Self.state(before, of: payroll)
        let plan = try Self.plan(kind, try Self.person("Sales"), on: state, [payroll], secondsAgo: 61)
        #expect(Self.told(plan) == Self.expected(kind, before))
        guard case .updatePerson(_, let known, let after, _)? = plan.steps.first else {
            return #expect(Bool(false), "\(plan.steps)")
        }
        #expect(after == known.canonical)
    }

    @Test func `an event without a time is not made stale by one that was received before it`() throws {
        let payroll = try Self.integration()
        let state = try Self.state(.active, of: payroll)
        let plan = try Self.plan(.leaver, try Self.person(), on: state, [payroll], secondsAgo: 61, hasOwnTime: false)
        #expect(Self.told(plan) == Self.expected(.leaver, .active))
    }

    @Test func `a member whom an admin deactivated stays so, and so does what was made for them`() throws {
        let payroll = try Self.integration()
        var state = try Self.state(.active, of: payroll)
        state.member = nil
        let plan = try Self.plan(.mover, try Self.person(), on: state, [payroll])
        #expect(Self.told(plan).hasSuffix("end 2 member_deactivated"))
    }

    // MARK: Rules

    @Test func `a mover out of the rule ends the user, into another begins one`() throws {
        let payroll = try Self.integration()
        let crm = try Self.integration("crm", rule: #"department eq "Sales""#)
        let state = try Self.state(.active, of: payroll)
        let plan = try Self.plan(.mover, try Self.person("Sales"), on: state, [payroll, crm])
        #expect(Self.told(plan) == "applied: becomes active, end 2 rule_ended, user crm.ada, grant")
    }

    @Test func `a grant has the integration's lifetime from now, and the member as custodian`() throws {
        let payroll = try Self.integration()
        let plan = try Self.plan(.joiner, try Self.person(), on: try Self.state(.unknown, of: payroll), [payroll])
        var member: UserID?
        for step in plan.steps {
            switch step {
            case .createMember(let id, let username, _):
                member = id
                #expect(username == "ada")
            case .createIntegrationUser(_, _, _, let custodian, let integration):
                #expect(custodian == member)
                #expect(integration.id == payroll.id)
            case .createGrant(_, _, _, _, let expiresAt): #expect(expiresAt == Self.now + .seconds(90 * 86_400))
            default: break
            }
        }
        #expect(member != nil)
    }

    @Test func `a grant of the rule follows the integration, one of an admin does not`() throws {
        var payroll = try Self.integration()
        var state = try Self.state(.active, of: payroll)
        payroll.scopes = ScopeSet([.peopleReadSelf])
        #expect(Self.told(try Self.plan(.mover, try Self.person(), on: state, [payroll])) == "applied: regrant")
        state.integrationUsers[0].grants[0].isOfRule = false
        #expect(Self.told(try Self.plan(.mover, try Self.person(), on: state, [payroll])) == "applied")
    }

    @Test func `reevaluation gives what the rules call for now, and nobody without access anything`() throws {
        let payroll = try Self.integration()
        let crm = try Self.integration("crm", rule: #"userName eq "ada""#)
        let planner = Planner(integrations: [crm], now: Self.now, using: SeededRandomness())
        let active = planner.reevaluate(try Self.state(.active, of: payroll))
        #expect(Self.told(active) == "applied: end 2 rule_ended, user crm.ada, grant")
        #expect(Self.told(planner.reevaluate(try Self.state(.left, of: payroll))) == "applied")
        #expect(Self.told(planner.reevaluate(try Self.state(.unknown, of: payroll))) == "applied")
    }

    // MARK: Attributes

    @Test func `no attribute ends access, whatever its value`() throws {
        let everybody = try Self.integration(rule: "externalId pr")
        let state = try Self.state(.active, of: everybody)
        var attributes: JSON.Object = ["externalId": .string(Self.external), "active": false]
        attributes[CanonicalPerson.worker] = ["status": "terminated", "endDate": "2020-01-01"]
        let said = try CanonicalPerson(attributes: attributes)
        #expect(Self.told(try Self.plan(.mover, said, on: state, [everybody])) == "applied: becomes active")
    }

    @Test func `what an event does not name stays`() throws {
        let payroll = try Self.integration()
        let said = try CanonicalPerson(attributes: ["externalId": .string(Self.external), "title": "CFO"])
        let plan = try Self.plan(.mover, said, on: try Self.state(.active, of: payroll), [payroll])
        #expect(Self.told(plan) == "applied: becomes active")
        guard case .updatePerson(_, _, let after, _) = plan.steps[0] else { return }
        #expect(after.userName == "ada" && after["title"] == "CFO")
    }

    @Test func `without a name for the account nobody joins`() throws {
        let payroll = try Self.integration()
        #expect(throws: PlanRefusal.missingUserName) {
            try Self.plan(.joiner, try Self.person(userName: nil), on: try Self.state(.unknown, of: payroll), [payroll])
        }
    }

    @Test(arguments: [EventKind.leaver, .revokeNow, .deleted])
    func `a leaving that cannot be laid over ends the access all the same`(kind: EventKind) throws {
        let payroll = try Self.integration()
        var many: JSON.Object = ["externalId": .string(Self.external)]
        for number in 0..<CanonicalPerson.mostAttributes { many["a\(number)"] = 1 }
        let said = try CanonicalPerson(attributes: many)
        let state = try Self.state(.active, of: payroll)
        let plan = try Self.plan(kind, said, on: state, [payroll])
        #expect(Self.told(plan) == Self.expected(kind, .active))
        #expect(throws: PlanRefusal.self) { try Self.plan(.mover, said, on: state, [payroll]) }
    }
}
