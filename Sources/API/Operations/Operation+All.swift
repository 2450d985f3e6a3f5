extension Operation {
    /// The table: every operation of the API, in the order of the document.
    static let all: [Operation] = [
        identity, organization, workspaces, scopes, resources, approvals, tokens, sources, sourceKeys,
        sourceVerification,
        deliveries,
        rejectedRequests, events, people, holds,
        users,
        integrations,
        grants, grantKeys,
        apps, authorizations, sessions,
        auditEntries, reportedAuditEntries, auditSearch, savedQueries, auditExport, auditLog, rootLog,
        openAPI,
    ].flatMap(\.self)
}
