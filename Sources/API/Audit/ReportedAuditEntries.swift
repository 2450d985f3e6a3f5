import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let reportedAuditEntries: [Operation] = [
        .create(
            "appendAuditEntries",
            "/v1/audit/entries",
            .scope(.auditAppend),
            .auditAppended,
            "Keep what callers did at an API of the organization, told by that API: one entry, or several at once",
            body: .reports,
            answers: .appended,
            hasLocation: false
        ) { call in
            let isBatch = call.body["entries"] != nil
            let told = isBatch ? try call.decode(Batch.self).entries : [try call.decode(Report.self)]
            guard (1...Report.mostAtOnce).contains(told.count) else {
                throw EdgeError.invalid([.init("/entries", "1 to \(Report.mostAtOnce) of them.")])
            }
            var reports: [ReportedEntries.Report] = []
            for (place, report) in told.enumerated() {
                let raw = isBatch ? call.body["entries"]?.array?[place] : call.body
                let pointer = isBatch ? "/entries/\(place)" : ""
                reports.append(try await call.checked(report, details: raw?["details"] ?? [:], at: pointer))
            }
            let change = ReportedEntries(
                reports,
                by: call.caller,
                from: call.context.origin,
                receivedAt: call.context.receivedAt
            )
            return try await call.create(change) { ["appended": .integer($0)] }
        }
    ]
}

/// As it is sent.
private struct Report: Decodable {
    var subjectToken: String
    var action: String
    var outcome: String?
    var occurredAt: Timestamp?
    var clientIP: IPAddress?
    var details: AnyMembers?

    private enum CodingKeys: String, CodingKey {
        case subjectToken = "subject_token"
        case action
        case outcome
        case occurredAt = "occurred_at"
        case clientIP = "client_ip"
        case details
    }

    static let mostAtOnce = 100
    /// Bytes of what an API says of one thing, as the log holds it.
    static let mostDetailBytes = 4096
}

/// An object whose members nobody names. They are read from the body itself.
private struct AnyMembers: Decodable {
    init(from decoder: any Decoder) {}
}

private struct Batch: Decodable {
    var entries: [Report]
}

extension APICall {
    /// Looks the token up, and refuses what is not good now, or not of this organization, alike.
    fileprivate func checked(
        _ report: Report,
        details: JSON,
        at pointer: String
    ) async throws -> ReportedEntries.Report {
        let spelled =
            report.action.hasPrefix(AuditAction.externalPrefix)
            ? String(report.action.dropFirst(AuditAction.externalPrefix.count)) : report.action
        guard let action = ExternalAction(spelled) else {
            throw EdgeError.invalid([.init(pointer + "/action", "Lower-case words, parted by dots.")])
        }
        guard let outcome = AuditOutcome(rawValue: report.outcome ?? AuditOutcome.done.rawValue) else {
            throw EdgeError.invalid([.init(pointer + "/outcome", "done or refused.")])
        }
        guard let object = details.object, details.bytes.count <= Report.mostDetailBytes else {
            let detail = "An object of at most \(Report.mostDetailBytes) bytes."
            throw EdgeError.invalid([.init(pointer + "/details", detail)])
        }
        let token = OpaqueSecret(report.subjectToken)
        guard let token, token.kind.isBearer, let facts = try await store.facts(of: token),
            facts.caller.organization == caller.organization,
            facts.refusalWhereverUsed == nil
        else {
            throw EdgeError.invalid([.init(pointer + "/subject_token", "This is no token that is good now.")])
        }
        guard facts.refusal(from: report.clientIP, for: .any) == nil else {
            let detail = "The token's grant is bound to addresses; say from which of them its caller came."
            throw EdgeError.invalid([.init(pointer + "/client_ip", detail)])
        }
        return ReportedEntries.Report(
            subject: facts.caller,
            action: action,
            outcome: outcome,
            occurredAt: report.occurredAt,
            address: report.clientIP,
            details: object
        )
    }
}

extension Schema {
    private static let report = Schema.object(
        [
            (
                "subject_token",
                Schema.string(length: 1...8192).described(
                    "The token of the caller who did it, as it was presented to you."
                )
            ),
            (
                "action",
                Schema.externalAction.described(
                    "What you call it. The entry has it behind `ext.`, which may stand here."
                )
            ),
        ],
        optional: [
            ("outcome", Schema.word(of: ["done", "refused"]).orNull),
            ("occurred_at", Schema.time.orNull.described("When it happened by your clock.")),
            (
                "client_ip",
                Schema.string(length: 2...45).orNull.described(
                    "From where the caller came. Needed where their grant is bound to addresses, and judged."
                )
            ),
            ("details", Schema.anyObject.described("What you say of it: no personal values, at most 4,096 bytes.")),
        ]
    ).named(
        "ReportedEntry",
        example: [
            "subject_token": "rca_…", "action": "payroll.run.read", "occurred_at": "2026-11-21T09:00:00Z",
            "details": ["run": "2026-11"],
        ]
    )

    fileprivate static let reports = Schema.either(
        report,
        or: .object([("entries", .array(of: report, atLeast: 1, most: Report.mostAtOnce))])
    )

    fileprivate static let appended = Schema.object([("appended", .integer(from: 1, to: Report.mostAtOnce))])
        .named("AppendedEntries", example: ["appended": 1])
}
