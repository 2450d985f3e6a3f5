import Domain
import Transparency

/// The audit entries of a plan's steps.
enum PlanEntries {
    static func created(
        _ id: PersonID,
        _ person: CanonicalPerson,
        _ status: PersonStatus,
        by authority: Authority
    ) -> AuditDraft {
        AuditDraft(
            .personCreated,
            .person(id),
            authority: authority,
            after: ["status": .string(status.rawValue)],
            personal: .init(subject: id, after: person.personalValues),
            person: id
        )
    }

    /// Only what differs is told, before and after.
    static func updated(
        _ id: PersonID,
        _ before: PersonState.KnownPerson,
        _ after: CanonicalPerson,
        _ status: PersonStatus,
        by authority: Authority
    ) -> AuditDraft {
        let old = before.canonical.personalValues
        let new = after.personalValues
        let action: ActionCode =
            switch (before.status.hasAccess, status.hasAccess) {
            case (true, false): .personEnded
            case (false, true): .personReturned
            default: .personUpdated
            }
        return AuditDraft(
            action,
            .person(id),
            authority: authority,
            before: ["status": .string(before.status.rawValue)],
            after: ["status": .string(status.rawValue)],
            personal: .init(
                subject: id,
                before: old.filter { value in !new.contains { $0.name == value.name && $0.value == value.value } },
                after: new.filter { value in !old.contains { $0.name == value.name && $0.value == value.value } }
            ),
            person: id
        )
    }

    static func createdMember(
        _ id: UserID,
        _ username: String,
        _ person: PersonID,
        by authority: Authority
    ) -> AuditDraft {
        AuditDraft(
            .userCreated,
            .user(id),
            authority: authority,
            after: ["kind": "member", "role": "member", "status": "active"],
            personal: .init(subject: person, after: [("username", .string(username))]),
            person: person
        )
    }

    static func createdIntegrationUser(
        _ id: UserID,
        _ username: String,
        _ person: PersonID,
        _ custodian: UserID,
        _ integration: ProvisionedIntegration
    ) -> AuditDraft {
        AuditDraft(
            .userCreated,
            .user(id),
            authority: .rule(integration.id, version: integration.version),
            after: [
                "kind": "integration", "status": "active", "integration": .string(integration.id.description),
                "custodian": .string(custodian.description),
            ],
            personal: .init(subject: person, after: [("username", .string(username))]),
            person: person
        )
    }

    static func createdGrant(
        _ id: GrantID,
        _ user: UserID,
        _ person: PersonID,
        _ integration: ProvisionedIntegration,
        _ expiresAt: Timestamp
    ) -> AuditDraft {
        var after = terms(integration.scopes, integration.ipAllowList)
        after["status"] = "active"
        after["user"] = .string(user.description)
        after["client_name"] = .string(integration.name)
        after["workspace"] = .string(integration.workspace.description)
        after["expires_at"] = .string(expiresAt.description)
        return AuditDraft(
            .grantCreated,
            .grant(id),
            authority: .rule(integration.id, version: integration.version),
            after: after,
            person: person
        )
    }

    static func updatedGrant(
        _ grant: PersonState.KnownGrant,
        _ person: PersonID,
        _ integration: ProvisionedIntegration
    ) -> AuditDraft {
        AuditDraft(
            .grantUpdated,
            .grant(grant.id),
            authority: .rule(integration.id, version: integration.version),
            before: terms(grant.scopes, grant.ipAllowList),
            after: terms(integration.scopes, integration.ipAllowList),
            person: person
        )
    }

    static func deactivated(
        _ user: PersonState.KnownUser,
        _ person: PersonID,
        _ reason: Plan.EndReason,
        by authority: Authority
    ) -> [AuditDraft] {
        let ended = AuditDraft(
            .userDeactivated,
            .user(user.id),
            reason: reason.rawValue,
            authority: authority,
            before: ["status": "active"],
            after: ["status": "deactivated"],
            person: person
        )
        let grants = user.grants.map { grant in
            AuditDraft(
                .grantEnded,
                .grant(grant.id),
                reason: reason.rawValue,
                authority: authority,
                after: ["status": "ended"],
                person: person
            )
        }
        return [ended] + grants
    }

    /// The terms of a grant as entries tell them.
    static func terms(_ scopes: ScopeSet, _ ipAllowList: [NetworkRange]?) -> JSON.Object {
        [
            "scopes": .array(scopes.names.map(JSON.string)),
            "ip_allow_list": ipAllowList.map { .array($0.map { .string($0.description) }) } ?? .null,
        ]
    }
}
