// API: the door of admins, auditors and integration users: `/v1/…` and its OpenAPI document.
//
// It owns one table of ``Operation``s (`Operation.all`), from which the routes, their checks, their audit entries and
// `/v1/openapi.json` are made, so that none of them can say something else than the others. One file a noun and family
// holds its operations, its wire form and its schema.
//
// Entrance: ``APIDoor/mount(on:)``. Elsewhere: rows and their entries are Storage's, problems, cursors, bodies and tags
// are Edge's, what a caller may do is Domain's.

package import Domain
package import Edge
package import Hummingbird
package import Storage

/// The REST API, to be mounted on the router of all doors.
package struct APIDoor: Sendable {
    let store: Store
    let observations: GroupCommit<Observation>
    /// Where searches and exports of the log are read. Everything else, and the entries of those reads, is the store's.
    let auditReads: Store
    /// nil: nobody asks when grants were used last.
    let lastUses: LastUses?
    /// Absolute, without a slash at its end: what answers and the document name themselves by.
    let publicURL: String
    /// By the names by which a source chooses them.
    let profiles: [String: SigningProfile]
    /// Names of the mappings that a source may choose.
    let mappings: Set<String>
    let logReads = LogReads()

    /// Entries of one organization's reads and refusals share commits through `observations`, which the caller runs.
    /// `auditReads` nil: the log is read like the rest. Profiles and mappings are what sources may choose; any other name
    /// is refused.
    package init(
        store: Store,
        observations: GroupCommit<Observation>,
        lastUses: LastUses? = nil,
        auditReads: Store? = nil,
        publicURL: String,
        profiles: [String: SigningProfile],
        mappings: [String: Mapping]
    ) {
        self.store = store
        self.observations = observations
        self.lastUses = lastUses
        self.auditReads = auditReads ?? store
        self.publicURL = publicURL
        self.profiles = profiles
        self.mappings = Set(mappings.keys)
    }

    /// What a token is good for that is used here.
    var audience: AcceptedAudience { .resources(ResourceIdentifier.own(of: publicURL)) }

    /// Routes every operation of the table. Each answers only to a caller whose token is good now, who calls from an
    /// address that its grant allows, and who has the operation's scope; open operations answer to anybody.
    package func mount(on router: Router<EdgeContext>) {
        for operation in Operation.all {
            router.on(operation.route, method: operation.method) { request, context in
                try await answer(operation, to: request, context)
            }
        }
    }
}

extension Operation {
    /// As the router writes what OpenAPI has no word for: a path of which the last name takes all that follows.
    fileprivate var route: RouterPath {
        guard takesRest, let name = path.lastIndex(of: "/") else { return RouterPath(path) }
        return RouterPath(path[..<name] + "/**")
    }
}
