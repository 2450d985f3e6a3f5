import Domain
import TestSupport
import Testing

@Suite struct TokenFactsTests {
    private static let now = Timestamp(seconds: 1_795_251_600)
    private static let inside = IPAddress("192.0.2.7")

    /// A token that is good at ``now`` from ``inside``.
    private static func facts() throws -> TokenFacts {
        let caller = Caller(
            organization: OrganizationID(high: 1, low: 1),
            user: UserID(high: 1, low: 2),
            kind: .integration,
            role: .integration,
            username: "payroll.ada",
            person: PersonID(high: 1, low: 3),
            integration: IntegrationID(high: 1, low: 4),
            grant: GrantID(high: 1, low: 5),
            clientName: "payroll",
            workspace: WorkspaceID(high: 1, low: 6),
            credential: .init(token: TokenID(high: 1, low: 7), digestPrefix: "01234567"),
            scopes: ScopeSet([.peopleRead]),
            tokenIssuedAt: now - .seconds(60),
            tokenExpiresAt: now + .seconds(60)
        )
        return TokenFacts(
            caller: caller,
            isRevoked: false,
            isUserActive: true,
            matchesUserEpoch: true,
            grant: .init(
                status: .active,
                matchesEpoch: true,
                expiresAt: now + .seconds(3600),
                ipAllowList: [try NetworkRange("192.0.2.0/24")]
            ),
            isIntegrationActive: true,
            checkedAt: now
        )
    }

    @Test func `a good token from an allowed address is not refused`() throws {
        #expect(try Self.facts().refusal(from: Self.inside, for: .any) == nil)
    }

    /// Everything is wrong at first; each reason is put right as soon as it was told.
    @Test func `reasons are told from the user outward`() throws {
        var facts = try Self.facts()
        let here = AcceptedAudience.resources(["https://here.example"])
        facts.isUserActive = false
        facts.matchesUserEpoch = false
        facts.grant = .init(status: .ended, matchesEpoch: false, expiresAt: Self.now, ipAllowList: [])
        facts.isIntegrationActive = false
        facts.isRevoked = true
        facts.checkedAt = Self.now + .seconds(60)
        facts.audience = "https://elsewhere.example"

        let steps: [(AccessRefusal, (inout TokenFacts) -> Void)] = [
            (.userDeactivated, { $0.isUserActive = true }),
            (.superseded, { $0.matchesUserEpoch = true }),
            (.grantEnded, { $0.grant?.status = .suspended }),
            (.grantSuspended, { $0.grant?.status = .active }),
            (.superseded, { $0.grant?.matchesEpoch = true }),
            (.grantExpired, { $0.grant?.expiresAt = Self.now + .seconds(61) }),
            (.addressNotAllowed, { $0.grant?.ipAllowList = nil }),
            (.integrationDisabled, { $0.isIntegrationActive = true }),
            (.tokenRevoked, { $0.isRevoked = false }),
            (.tokenExpired, { $0.checkedAt = Self.now }),
            (.wrongAudience, { $0.audience = "https://here.example" }),
        ]
        for (expected, putRight) in steps {
            #expect(facts.refusal(from: nil, for: here) == expected)
            putRight(&facts)
        }
        #expect(facts.refusal(from: nil, for: here) == nil)
    }

    @Test func `a token that names a resource is good only there, one that names none everywhere`() throws {
        var facts = try Self.facts()
        let here = AcceptedAudience.resources(["https://here.example"])
        #expect(facts.refusal(from: Self.inside, for: here) == nil)
        facts.audience = "https://here.example/"
        #expect(facts.refusal(from: Self.inside, for: here) == .wrongAudience)
        #expect(facts.refusal(from: Self.inside, for: .resources([])) == .wrongAudience)
        #expect(facts.refusal(from: Self.inside, for: .any) == nil)
    }

    @Test func `an instant of expiry is past it`() throws {
        var facts = try Self.facts()
        facts.grant?.expiresAt = Self.now
        #expect(facts.refusal(from: Self.inside, for: .any) == .grantExpired)
        facts.grant?.expiresAt = Self.now + .microseconds(1)
        #expect(facts.refusal(from: Self.inside, for: .any) == nil)
        facts.checkedAt = facts.caller.tokenExpiresAt
        facts.grant?.expiresAt = Self.now + .seconds(3600)
        #expect(facts.refusal(from: Self.inside, for: .any) == .tokenExpired)
    }

    @Test func `an address that could not be told is in no list, and in none of another family`() throws {
        let facts = try Self.facts()
        #expect(facts.refusal(from: nil, for: .any) == .addressNotAllowed)
        #expect(facts.refusal(from: IPAddress("192.0.3.7"), for: .any) == .addressNotAllowed)
        #expect(facts.refusal(from: IPAddress("2001:db8::7"), for: .any) == .addressNotAllowed)
        #expect(facts.refusal(from: IPAddress("::ffff:192.0.2.7"), for: .any) == nil)
    }

    @Test func `a personal token has no grant to ask`() throws {
        var facts = try Self.facts()
        facts.grant = nil
        facts.isIntegrationActive = nil
        #expect(facts.refusal(from: nil, for: .any) == nil)
    }
}
