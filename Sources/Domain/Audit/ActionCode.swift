/// What was done or tried. Raw values stand in leaves and in auditors' queries and never change their meaning.
package enum ActionCode: String, Sendable, CaseIterable {
    case organizationCreated = "organization.created"
    case organizationUpdated = "organization.updated"
    case organizationRead = "organization.read"

    case deliveryAccepted = "delivery.accepted"
    /// Summary of a minute's refused deliveries of a source, by reason.
    case deliveryRefused = "delivery.refused"
    case deliveryUnmapped = "delivery.unmapped"
    /// Some of its events are made, and some cannot be told.
    case deliveryPartlyMapped = "delivery.partly_mapped"
    case deliveryRead = "delivery.read"
    /// Bodies of a source's deliveries that were kept for their time are gone; `after.count` of them.
    case deliveryExpired = "delivery.expired"

    /// A request that was refused before holds under the keys of now; `after.delivery` is what it became.
    case rejectedAccepted = "rejected_request.accepted"
    /// Rejected requests of a source that were kept for their time.
    case rejectedExpired = "rejected_request.expired"
    case rejectedRead = "rejected_request.read"

    case eventSettled = "event.settled"
    case eventDead = "event.dead"
    case eventRetried = "event.retried"
    case eventRead = "event.read"

    case personCreated = "person.created"
    case personUpdated = "person.updated"
    /// The person's access ended: left, revoked or deleted at the source; `after.status` says which.
    case personEnded = "person.ended"
    case personReturned = "person.returned"
    case personRead = "person.read"
    /// Their values are gone from the database, and what was disclosed of them is unreadable.
    case personErased = "person.erased"
    /// Their erasure waits for the end of a hold.
    case personErasureQueued = "person.erasure_queued"

    /// From here on nothing of what it names is erased or expires.
    case holdCreated = "hold.created"
    case holdLifted = "hold.lifted"
    case holdRead = "hold.read"

    case userCreated = "user.created"
    case userDeactivated = "user.deactivated"
    case userRoleChanged = "user.role_changed"
    /// Another member keeps its secrets from here on: those that there were end.
    case userCustodianChanged = "user.custodian_changed"
    case userRead = "user.read"

    case integrationCreated = "integration.created"
    case integrationUpdated = "integration.updated"
    case integrationRead = "integration.read"

    case workspaceCreated = "workspace.created"
    case workspaceRead = "workspace.read"
    case workspaceUpdated = "workspace.updated"
    case workspaceRemoved = "workspace.removed"
    case scopeCreated = "scope.created"
    case scopeRemoved = "scope.removed"
    case scopeRead = "scope.read"

    case grantCreated = "grant.created"
    case grantUpdated = "grant.updated"
    case grantSuspended = "grant.suspended"
    case grantResumed = "grant.resumed"
    /// It runs out in `after.days` days.
    case grantExpiring = "grant.expiring"
    case grantEnded = "grant.ended"
    case grantRead = "grant.read"
    case claimLinkCreated = "claim_link.created"
    case claimLinkEnded = "claim_link.ended"
    case secretClaimed = "grant.secret_claimed"
    /// The custodian replaced the secret; `after.overlap` says how long the former one works on.
    case secretRegenerated = "grant.secret_regenerated"
    case secretEnded = "grant.secret_ended"
    /// The custodian registered public keys in place of a secret.
    case grantKeysRegistered = "grant.keys_registered"
    /// And took them away again, or an admin did.
    case grantKeysRemoved = "grant.keys_removed"
    /// Keys behind a URL are others than before.
    case grantKeysFetched = "grant.keys_fetched"
    /// Every secret and token of a grant ended at once.
    case grantKilled = "grant.killed"

    case approvalRequested = "approval.requested"
    case approvalApproved = "approval.approved"
    case approvalRefused = "approval.refused"
    case approvalWithdrawn = "approval.withdrawn"
    /// Agreed to, and no longer possible: nothing was done.
    case approvalMoved = "approval.moved"
    /// Nobody decided in time.
    case approvalExpired = "approval.expired"
    case approvalRead = "approval.read"

    case tokenIssued = "token.issued"
    case tokenRevoked = "token.revoked"
    /// A workspace token got another value, or a personal token was made again.
    case tokenRefreshed = "token.refreshed"
    /// It runs out in `after.days` days.
    case tokenExpiring = "token.expiring"
    case tokenUpdated = "token.updated"
    case tokenRead = "token.read"
    case tokenIntrospected = "token.introspected"
    /// A proxy asked whether a request may pass; `after.action` is what the request is to do.
    case accessChecked = "access.checked"

    /// A resource that tokens may be for was added; `after.token_format` says of which form they are.
    case resourceCreated = "resource.created"
    case resourceRemoved = "resource.removed"
    case resourceRead = "resource.read"

    case appCreated = "app.created"
    case appUpdated = "app.updated"
    case appSecretRotated = "app.secret_rotated"
    case appDisabled = "app.disabled"
    case appEnabled = "app.enabled"
    case appEnded = "app.ended"
    case appRead = "app.read"
    /// A user let an app do something.
    case authorizationApproved = "authorization.approved"
    case authorizationDenied = "authorization.denied"
    /// It allows less than before: a scope was taken out of the organization's catalogue.
    case authorizationNarrowed = "authorization.narrowed"
    case authorizationEnded = "authorization.ended"
    case authorizationRead = "authorization.read"

    /// A member signed in, or was refused; `reason` says why.
    case sessionStarted = "session.started"
    case sessionEnded = "session.ended"
    case sessionRead = "session.read"
    case passwordLinkCreated = "password_link.created"
    case passwordLinkEnded = "password_link.ended"
    case passwordSet = "account.password_set"
    case secondFactorAdded = "account.second_factor_added"
    case secondFactorRemoved = "account.second_factor_removed"
    /// Taken away because its owner lost it: a second admin agreed, or an operator did it.
    case secondFactorReset = "account.second_factor_reset"
    /// Codes for its loss, in place of those before.
    case recoveryCodesMade = "account.recovery_codes_made"

    case sourceCreated = "source.created"
    case sourceUpdated = "source.updated"
    case sourceKeyAdded = "source.key_added"
    case sourceKeyUpdated = "source.key_updated"
    case sourceKeyRemoved = "source.key_removed"
    /// A handshake brought a key, which an admin has to confirm.
    case sourceKeyCaptured = "source.key_captured"
    /// An admin looked at it before they decided.
    case sourceKeyRevealed = "source.key_revealed"
    case sourceKeyConfirmed = "source.key_confirmed"
    case sourceKeyDismissed = "source.key_dismissed"
    case sourceRead = "source.read"

    case auditRead = "audit.read"
    /// Entries from index `after.from` to before `after.to` left in a format.
    case auditExported = "audit.exported"
    case auditQuerySaved = "audit_query.created"
    case auditQueryRemoved = "audit_query.removed"
    case auditQueryRead = "audit_query.read"
    case logAdopted = "log.adopted"
    /// Asked to keep entries of an API of the organization. The entries themselves have the API's codes
    /// (``AuditAction/external(_:)``).
    case auditAppended = "audit.appended"
}

/// Whether it happened.
package enum AuditOutcome: String, Sendable {
    case done
    case refused
}
