import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let approvals: [Operation] = [
        .list(
            "listApprovals",
            "/v1/approvals",
            .scope([.grantsRead, .usersRead]),
            .approvalRead,
            "Requests that wait for a second admin, and what became of them, oldest first",
            of: .approval,
            by: ApprovalID.self
        ) { call, step in
            try await call.read { try await $0.approvals(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .read(
            "getApproval",
            "/v1/approvals/{id}",
            .scope([.grantsRead, .usersRead]),
            .approvalRead,
            "One request, with exactly what was asked for",
            target: .approval,
            answers: .approval
        ) { call in
            let id = try call.id(as: ApprovalID.self)
            guard let approval = try await call.read({ try await $0.approval(id) }) else { throw EdgeError.notFound }
            return .read(approval.json)
        },
        .act(
            "approve",
            "/v1/approvals/{id}/approve",
            .scope(deciding),
            .approvalApproved,
            "Agree to what another admin asked for, and have it done; `moved` says that it is no longer possible",
            target: .approval,
            answers: .approval
        ) { try await $0.decide(.approve) },
        .act(
            "refuse",
            "/v1/approvals/{id}/refuse",
            .scope(deciding),
            .approvalRefused,
            "Refuse what another admin asked for",
            target: .approval,
            answers: .approval
        ) { try await $0.decide(.refuse) },
        .act(
            "withdraw",
            "/v1/approvals/{id}/withdraw",
            .scope(deciding),
            .approvalWithdrawn,
            "Take back what oneself asked for",
            target: .approval,
            answers: .approval
        ) { try await $0.decide(.withdraw) },
    ]

    /// That of the kind of the request is asked for once it is known.
    private static let deciding: [Scope] = [
        .grantsWrite, .usersWrite, .integrationsWrite, .tokensWrite, .organizationWrite,
    ]
}

extension APICall {
    fileprivate func decide(_ verdict: ApprovalDecision.Verdict) async throws -> APIAnswer {
        try requireOwnHand()
        let decision = ApprovalDecision(of: try id(), verdict, by: caller, attribution, in: store)
        return .changed(try await perform(decision).json)
    }
}

extension Settled {
    /// The answer's body, of what was made or of what waits.
    func json(_ done: (Value) -> JSON.Object) -> JSON.Object {
        switch self {
        case .done(let value): done(value)
        case .waits(let approval): approval.json
        }
    }
}

extension ApprovalView {
    var json: JSON.Object {
        [
            "id": .string(id.description), "kind": .string(kind.rawValue),
            "target": target.map { .string(target($0)) } ?? .null, "request": .object(request),
            "status": .string(status.rawValue), "requested_by": .string(requestedBy.description),
            "requester": .string(requesterName), "requested_at": .string(requestedAt.description),
            "expires_at": .string(expiresAt.description), "decided_by": .orNull(decidedBy),
            "decided_at": .orNull(decidedAt), "reason": reason.map(JSON.string) ?? .null, "used_at": .orNull(usedAt),
        ]
    }

    private func target(_ bits: IDBits) -> String {
        switch kind {
        case .grantCreation, .grantChange: GrantID(high: bits.high, low: bits.low).description
        case .integrationCreation, .integrationChange: IntegrationID(high: bits.high, low: bits.low).description
        case .workspaceToken: WorkspaceID(high: bits.high, low: bits.low).description
        case .workspaceTokenChange: TokenID(high: bits.high, low: bits.low).description
        case .passwordLink, .secondFactorReset, .roleAssignment, .custodianAssignment:
            UserID(high: bits.high, low: bits.low).description
        case .settingsChange: OrganizationID(high: bits.high, low: bits.low).description
        case .personErasure: PersonID(high: bits.high, low: bits.low).description
        }
    }
}

extension Schema {
    static let approval = Schema.object([
        ("id", .id("apr")), ("kind", .word(of: ApprovalKind.allCases.map(\.rawValue))),
        ("target", .string.orNull.described("Id of what it is about, or of what came of it.")),
        ("request", .anyObject.described("Exactly what was asked for.")),
        (
            "status",
            .word(of: ApprovalStatus.allCases.map(\.rawValue))
                .described("`moved`: agreed to, and no longer possible as it was asked for; nothing was done.")
        ),
        ("requested_by", .id("usr")), ("requester", .string), ("requested_at", .time), ("expires_at", .time),
        ("decided_by", .id("usr").orNull), ("decided_at", .time.orNull), ("reason", .string.orNull),
        ("used_at", .time.orNull.described("Where agreeing does not do it: when who asked did it.")),
    ]).named(
        "Approval",
        example: [
            "id": "apr_01k9qyc5qje1qsv9svhrqgc8d7", "kind": "grant.create", "target": .null,
            "request": ["client_name": "Payroll batch", "scopes": ["users:write"], "ip_allow_list": .null],
            "status": "pending", "requested_by": "usr_01k9qyc5qje1qsv9svhrqgc8da", "requester": "admin@acme.example",
            "requested_at": "2026-11-21T09:00:00Z", "expires_at": "2026-11-24T09:00:00Z", "decided_by": .null,
            "decided_at": .null, "reason": .null, "used_at": .null,
        ]
    )
}
