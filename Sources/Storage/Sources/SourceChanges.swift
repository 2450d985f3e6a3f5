package import Domain
import Postgres
import Transparency

/// Changing what may change of a source. Refused when it is another version than the caller has seen.
///
/// What follows from the change is made with it: resuming wakes the persons whose events waited, accepting unproved
/// bodies releases the events that were held, and a source that is no longer disabled, or expects other parties of its
/// tokens, has its rejected requests verified again.
///
/// The row is locked against workers that map (they ask for FOR SHARE), so that no event is held, or left asleep, by what
/// the source was before.
package struct SourceUpdate: SingleChange {
    package typealias Output = SourceView

    private let id: SourceID
    private let expectedVersion: Int64
    private let terms: Terms
    private let attribution: Attribution

    /// What may change.
    package struct Terms: Sendable {
        package let slug: Slug
        package let mapping: String
        package let timeZone: String
        package let status: SourceStatus
        /// nil: from anywhere.
        package let ipAllowList: [NetworkRange]?
        /// From whom and for whom pushed tokens have to be.
        package let tokenParties: TokenParties
        /// Whether events of bodies that no proof covers are applied.
        package let acceptsUnproved: Bool

        package init(
            slug: Slug,
            mapping: String,
            timeZone: String,
            status: SourceStatus,
            ipAllowList: [NetworkRange]?,
            tokenParties: TokenParties = .any,
            acceptsUnproved: Bool
        ) {
            self.slug = slug
            self.mapping = mapping
            self.timeZone = timeZone
            self.status = status
            self.ipAllowList = ipAllowList
            self.tokenParties = tokenParties
            self.acceptsUnproved = acceptsUnproved
        }

        fileprivate init(_ view: SourceView) {
            self.init(
                slug: view.slug,
                mapping: view.mapping,
                timeZone: view.timeZone,
                status: view.status,
                ipAllowList: view.ipAllowList,
                tokenParties: view.tokenParties,
                acceptsUnproved: view.unprovedDecision != nil
            )
        }

        var json: JSON.Object {
            var json: JSON.Object = [
                "slug": .string(slug.description), "mapping": .string(mapping), "time_zone": .string(timeZone),
                "status": .string(status.rawValue), "ip_allow_list": Self.json(ipAllowList),
                "accept_unproved_bodies": .bool(acceptsUnproved),
            ]
            for (name, value) in tokenParties.json.members { json[name] = value }
            return json
        }

        static func json(_ ranges: [NetworkRange]?) -> JSON {
            ranges.map { .array($0.map { .string($0.description) }) } ?? .null
        }
    }

    /// Refused where the source was changed since `version` was read.
    package init(of id: SourceID, version: Int64, to terms: Terms, by attribution: Attribution) {
        self.id = id
        expectedVersion = version
        self.terms = terms
        self.attribution = attribution
    }

    package func make(in transaction: OrganizationTransaction) async throws -> (SourceView, [Recorded]) {
        _ = try await transaction.query("SELECT id FROM sources WHERE id = \(id) FOR NO KEY UPDATE")
        guard let before = try await transaction.source(id) else { throw ChangeRefusal.notFound }
        guard before.version == expectedVersion else { throw ChangeRefusal.stale }
        let former = Terms(before)
        guard former.json != terms.json else {
            let draft = AuditDraft(
                .sourceUpdated,
                .source(id),
                reason: "unchanged",
                authority: .scope(.sourcesWrite)
            )
            return (before, [Recorded(draft, by: attribution)])
        }
        // The source's row last: to change its slug locks out whoever applies events, and they hold lanes meanwhile.
        let following = following(from: former, at: transaction.startedAt)
        let results = try await transaction.pipeline(
            following + [update(before, at: transaction.startedAt), renameUser(of: before, at: transaction.startedAt)]
        )
        guard let after = try await transaction.source(id) else { throw ChangeRefusal.notFound }
        var told = terms.json.differing(from: former.json)
        if releases(from: former) { told["released_events"] = .integer(results[following.count - 1].affected) }
        let draft = AuditDraft(
            .sourceUpdated,
            .source(id),
            authority: .scope(.sourcesWrite),
            before: former.json.differing(from: terms.json),
            after: told
        )
        return (after, [Recorded(draft, by: attribution)])
    }

    private func releases(from former: Terms) -> Bool { terms.acceptsUnproved && !former.acceptsUnproved }

    private func update(_ before: SourceView, at now: Timestamp) -> SQL {
        let decision: (at: Timestamp?, by: UserID?) =
            switch (terms.acceptsUnproved, before.unprovedDecision) {
            case (false, _): (nil, nil)
            case (true, let former?): (former.at, former.by)
            case (true, nil): (now, attribution.actor.user)
            }
        return """
            UPDATE sources SET slug = \(terms.slug.description), mapping = \(terms.mapping),
                time_zone = \(terms.timeZone), status = \(terms.status.rawValue),
                ip_allow_list = \(terms.ipAllowList?.map(\.description) as [String]?),
                token_issuers = \(terms.tokenParties.issuers as [String]?),
                token_audiences = \(terms.tokenParties.audiences as [String]?),
                unproved_accepted_at = \(decision.at as Timestamp?), unproved_accepted_by = \(decision.by as UserID?),
                version = version + 1, updated_at = \(now)
            WHERE id = \(id)
            """
    }

    /// The name of its user follows, so that the old slug is free for another source.
    private func renameUser(of before: SourceView, at now: Timestamp) -> SQL {
        """
        UPDATE users SET username = \(SourceCreation.username(of: terms.slug)), updated_at = \(now)
        WHERE id = \(before.user) AND username = \(SourceCreation.username(of: before.slug))
        """
    }

    /// Lanes before events, as workers lock them; the release of held events is the last.
    private func following(from former: Terms, at now: Timestamp) -> [SQL] {
        var statements: [SQL] = []
        if former.tokenParties != terms.tokenParties {
            statements += SourceKeyChange.following(on: id)
        } else if former.status == .disabled, terms.status != .disabled {
            statements.append("UPDATE rejected_requests SET review = true WHERE source_id = \(id)")
        }
        if former.status == .paused, terms.status != .paused {
            statements.append(Self.wake("pending", of: id))
        }
        if releases(from: former) {
            statements += [
                Self.wake("held", of: id),
                """
                UPDATE events SET status = 'pending', reason = NULL, due_at = greatest(due_at, \(now))
                WHERE source_id = \(id) AND status = 'held'
                """,
            ]
        }
        return statements
    }

    /// Wakes the lanes with events of that status, in their order.
    private static func wake(_ status: String, of source: SourceID) -> SQL {
        """
        INSERT INTO lanes AS l (organization_id, source_id, external_id, ready_at)
        SELECT e.organization_id, e.source_id, e.external_id, min(e.due_at) FROM events e
        WHERE e.source_id = \(source) AND e.status = \(status)
        GROUP BY e.organization_id, e.source_id, e.external_id
        ORDER BY e.source_id, e.external_id
        ON CONFLICT (source_id, external_id) DO UPDATE SET ready_at = least(l.ready_at, excluded.ready_at)
        """
    }
}

extension JSON.Object {
    /// Members that the other does not have, or has with another value: what an entry of a change tells.
    func differing(from other: JSON.Object) -> JSON.Object {
        var differing: JSON.Object = [:]
        for (name, value) in members where other[name] != value { differing[name] = value }
        return differing
    }
}
