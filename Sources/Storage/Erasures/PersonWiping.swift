import Domain
import Postgres
import Transparency

/// Takes a person's values out of every table that has some (<doc:PersonalData> lists them all). In place of their names
/// stands their id, which tells nothing of them.
struct PersonWiping {
    private let person: KnownPerson
    private let organization: OrganizationID
    private let now: Timestamp
    private let tombstone: String
    private let forms: [[UInt8]]
    private var users: [UserID] { person.users.map(\.id) }

    private static let manager = [CanonicalPerson.enterprise, "manager"]

    init(_ person: KnownPerson, in transaction: OrganizationTransaction) {
        self.person = person
        organization = transaction.organization
        now = transaction.startedAt
        tombstone = Self.tombstone(person.id)
        forms = person.values.forms
    }

    private static func tombstone(_ id: some CustomStringConvertible) -> String { "erased.\(id)" }

    /// Ends what a restore brought back. Nothing where nobody has access, as everywhere else.
    func endAccess(by attribution: Attribution, in transaction: OrganizationTransaction) async throws -> [Recorded] {
        let active = person.users.filter(\.isActive).map(\.id)
        guard !active.isEmpty else { return [] }
        transaction.narrow(active.map { .user($0) })
        let results = try await transaction.pipeline([
            """
            UPDATE users SET status = 'deactivated', epoch = epoch + 1, deactivated_at = \(now), updated_at = \(now)
            WHERE id = ANY(\(active))
            """,
            """
            UPDATE grants SET status = 'ended', epoch = epoch + 1, ended_at = \(now), version = version + 1,
                updated_at = \(now)
            WHERE user_id = ANY(\(active)) AND status <> 'ended' RETURNING id
            """,
            """
            UPDATE claim_links l SET ended_at = \(now) FROM grants g
            WHERE (g.organization_id, g.id) = (l.organization_id, l.grant_id) AND g.user_id = ANY(\(active))
                AND l.claimed_at IS NULL AND l.ended_at IS NULL RETURNING l.id
            """,
            .endingAuthorizations(of: active, at: now),
        ])
        let ended: [(ActionCode, AuditTarget)] =
            active.map { (.userDeactivated, .user($0)) }
            + (try results[1].map { (.grantEnded, .grant(try $0.decode("id"))) })
            + (try results[2].map { (.claimLinkEnded, .claimLink(try $0.decode("id"))) })
            + (try results[3].map { (.authorizationEnded, .authorization(try $0.decode("id"))) })
        return ended.map { action, target in
            Recorded(AuditDraft(action, target, reason: "erased", person: person.id), by: attribution)
        }
    }

    /// Returns of what there was how much, for the entry.
    func wipe(in transaction: OrganizationTransaction) async throws -> JSON.Object {
        let results = try await transaction.pipeline([
            bodies, ownEvents, othersEvents, lane, canonicalPerson, othersPeople, disclosures, subjectKey,
        ])
        _ = try await transaction.pipeline([searchedValues] + accounts + writings)
        return [
            "deliveries": .integer(results[0].affected), "events": .integer(results[1].affected),
            "disclosures": .integer(results[6].affected), "users": .integer(users.count),
        ]
    }

    // MARK: What the source said

    /// A body is one text: where it names the person it goes whole, also for the others whom it names. What it said of
    /// those stands in their events and with them, as ever.
    private var bodies: SQL {
        """
        UPDATE deliveries d SET body = NULL, headers = '{}', body_digest = sha256(d.body), body_bytes = length(d.body),
            body_removed_at = \(now), body_removed_by = 'erasure', statements_remain = true
        WHERE d.organization_id = \(organization) AND d.body IS NOT NULL AND d.status <> 'accepted'
            AND (EXISTS (SELECT FROM events e WHERE e.delivery_id = d.id
                    AND (e.source_id, e.external_id) = (\(person.lane.source), \(person.lane.externalID)))
                OR EXISTS (SELECT FROM unnest(\(forms)) f WHERE position(f IN d.body) > 0))
        """
    }

    private var ownEvents: SQL {
        """
        UPDATE events SET person = NULL, sender_event_id = NULL, external_id = \(tombstone),
            settled_at = coalesce(settled_at, \(now)),
            reason = CASE WHEN status IN ('pending', 'held') THEN 'erased' ELSE reason END,
            status = CASE WHEN status IN ('pending', 'held') THEN 'ignored' ELSE status END
        WHERE organization_id = \(organization)
            AND (source_id, external_id) = (\(person.lane.source), \(person.lane.externalID))
        """
    }

    /// Events whose body is gone keep nothing once they are settled; those that wait lose what they say of their manager.
    private var othersEvents: SQL {
        """
        UPDATE events e SET person = CASE WHEN e.status IN ('pending', 'held')
            THEN jsonb_set(e.person, \(Self.manager), \(pseudonym)) END
        WHERE e.organization_id = \(organization) AND e.source_id = \(person.lane.source) AND e.person IS NOT NULL
            AND \(names("e.person"))
        """
    }

    private var lane: SQL {
        """
        UPDATE lanes SET external_id = \(tombstone), ready_at = NULL, reevaluate = false
        WHERE (source_id, external_id) = (\(person.lane.source), \(person.lane.externalID))
        """
    }

    private var canonicalPerson: SQL {
        let left: JSON.Object = ["externalId": .string(tombstone)]
        return """
            UPDATE people SET attributes = \(PostgresJSON(left)), external_id = \(tombstone), erased_at = \(now),
                status = CASE WHEN status IN ('active', 'leaving') THEN 'deleted' ELSE status END,
                version = version + 1, updated_at = \(now)
            WHERE id = \(person.id)
            """
    }

    private var othersPeople: SQL {
        """
        UPDATE people p SET attributes = jsonb_set(p.attributes, \(Self.manager), \(pseudonym)),
            version = p.version + 1, updated_at = \(now)
        WHERE p.organization_id = \(organization) AND p.source_id = \(person.lane.source)
            AND \(names("p.attributes"))
        """
    }

    /// Whose manager the person is.
    private func names(_ canonical: SQL) -> SQL {
        """
        (\(canonical) #>> \(Self.manager + ["value"]) = \(person.lane.externalID)
            OR \(canonical) #>> \(Self.manager) = \(person.lane.externalID))
        """
    }

    private var pseudonym: PostgresJSON { PostgresJSON(["value": .string(tombstone)] as JSON.Object) }

    // MARK: The log

    private var disclosures: SQL {
        "DELETE FROM audit_disclosures WHERE organization_id = \(organization) AND subject_id = \(person.id)"
    }

    private var subjectKey: SQL {
        "DELETE FROM audit_subject_keys WHERE organization_id = \(organization) AND subject_id = \(person.id)"
    }

    private var searchedValues: SQL {
        "DELETE FROM person_values WHERE organization_id = \(organization) AND person_id = \(person.id)"
    }

    // MARK: Accounts

    private var accounts: [SQL] {
        guard !users.isEmpty else { return [] }
        return [
            """
            UPDATE users u SET username = n.name, updated_at = \(now)
            FROM unnest(\(users), \(users.map { Self.tombstone($0) })) AS n(id, name) WHERE u.id = n.id
            """,
            """
            UPDATE accounts SET password = NULL, password_set_at = NULL, totp_secret = NULL, totp_pending = NULL,
                totp_confirmed_at = NULL, totp_last_step = NULL
            WHERE user_id = ANY(\(users))
            """,
            "DELETE FROM recovery_codes WHERE user_id = ANY(\(users))",
            "DELETE FROM sessions WHERE user_id = ANY(\(users))",
            "DELETE FROM idempotency_keys WHERE user_id = ANY(\(users))",
            "UPDATE tokens SET name = 'erased', last_used_address = NULL WHERE user_id = ANY(\(users)) AND name IS NOT NULL",
            "UPDATE tokens SET last_used_address = NULL WHERE user_id = ANY(\(users)) AND last_used_address IS NOT NULL",
            "UPDATE grants SET last_used_address = NULL WHERE user_id = ANY(\(users))",
            """
            UPDATE grant_secrets s SET last_used_address = NULL FROM grants g
            WHERE (g.organization_id, g.id) = (s.organization_id, s.grant_id) AND g.user_id = ANY(\(users))
            """,
            """
            DELETE FROM grant_addresses a USING grants g
            WHERE (g.organization_id, g.id) = (a.organization_id, a.grant_id) AND g.user_id = ANY(\(users))
            """,
        ]
    }

    // MARK: What people wrote

    /// What nobody can write anew: answers that are kept for a day, what was decided, and what is over.
    private var writings: [SQL] {
        let texts = person.values.texts.filter { $0.utf8.count >= IdentifyingValues.leastFree }
        return [
            """
            DELETE FROM idempotency_keys k WHERE k.organization_id = \(organization)
                AND EXISTS (SELECT FROM unnest(\(forms)) f WHERE position(f IN k.answer) > 0)
            """,
            """
            UPDATE approvals a SET request = '{}' WHERE a.organization_id = \(organization) AND a.status <> 'pending'
                AND EXISTS (SELECT FROM unnest(\(texts)) t WHERE strpos(lower(a.request::text), lower(t)) > 0)
            """,
            """
            UPDATE apps a SET name = 'erased', description = '', contact_email = 'erased@erased.invalid'
            WHERE a.organization_id = \(organization) AND a.status = 'ended'
                AND EXISTS (SELECT FROM unnest(\(texts)) t
                    WHERE strpos(lower(concat_ws(E'\\n', a.name, a.description, a.contact_email)), lower(t)) > 0)
            """,
            """
            UPDATE grants g SET client_name = 'erased' WHERE g.organization_id = \(organization) AND g.status = 'ended'
                AND EXISTS (SELECT FROM unnest(\(texts)) t WHERE strpos(lower(g.client_name), lower(t)) > 0)
            """,
            """
            UPDATE holds h SET matter = 'erased', filter = CASE WHEN h.kind = 'query' THEN 'id pr' END
            WHERE h.organization_id = \(organization) AND h.lifted_at IS NOT NULL
                AND EXISTS (SELECT FROM unnest(\(texts)) t
                    WHERE strpos(lower(concat_ws(E'\\n', h.matter, h.filter)), lower(t)) > 0)
            """,
        ]
    }
}
