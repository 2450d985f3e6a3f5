import Domain
import Postgres

/// From where grants were used in the last days, so that whoever narrows a list of addresses hears whom it cuts off.
enum AddressUse {
    /// How far back is looked.
    static let memory = Duration.seconds(7 * 86_400)
    /// Addresses of one grant that are remembered: the newest.
    static let mostRemembered = 200
    /// Addresses that a question names; it counts the rest.
    static let mostNamed = 10
}

extension OrganizationTransaction {
    /// Throws ``ChangeRefusal/confirmationRequired(value:detail:)`` where these grants were used in the last days from
    /// addresses that `allowed` leaves out, unless `confirmation` says that exactly those were seen. `caller` is the
    /// address of who asks, where they call by one of these grants.
    func confirmCutOff(
        of grants: SQL,
        allowing allowed: [NetworkRange]?,
        for subject: String,
        caller: IPAddress?,
        confirmation: String?
    ) async throws {
        guard let allowed else { return }
        let rows = try await query(
            """
            SELECT address, max(last_used_at) AS last_used_at FROM grant_addresses
            WHERE organization_id = \(organization) AND last_used_at > \(startedAt - AddressUse.memory)
                AND grant_id IN (\(grants))
            GROUP BY address ORDER BY 2 DESC LIMIT 1000
            """
        )
        var used = try rows.map { row in
            (
                address: try row.parse("address", as: IPAddress.self),
                at: try row.decode("last_used_at", as: Timestamp.self)
            )
        }
        if let caller, !used.contains(where: { $0.address == caller }) { used.insert((caller, startedAt), at: 0) }
        let cutOff = used.filter { use in !allowed.contains { $0.contains(use.address) } }
        guard !cutOff.isEmpty else { return }
        let wanted = Confirmation(of: "addresses of \(subject)", seeing: cutOff.map(\.address.description))
        guard confirmation != wanted.value else { return }
        let named = cutOff.prefix(AddressUse.mostNamed).map { "\($0.address) (last at \($0.at))" }
        let more = cutOff.count - named.count
        throw ChangeRefusal.confirmationRequired(
            value: wanted.value,
            detail: "This cuts off what was used in the last 7 days: " + named.joined(separator: ", ")
                + (more > 0 ? " and \(more) more addresses." : ".")
        )
    }
}
