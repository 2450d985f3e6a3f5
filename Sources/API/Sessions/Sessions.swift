import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let sessions: [Operation] = [
        .list(
            "listSessions",
            "/v1/sessions",
            .anyone,
            .sessionRead,
            "Where members are signed in on pages, oldest first: the caller, or everybody for who may read users",
            of: .session,
            by: SessionID.self
        ) { call, step in
            let user = try call.ownUnlessReader ?? step.demanded("user")
            return try await call.read { try await $0.sessions(of: user, after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .remove(
            "endSession",
            "/v1/sessions/{id}",
            .anyone,
            .sessionEnded,
            "End a sign-in of the caller, or as a security admin of anybody",
            target: .session
        ) { call in
            let owner = try call.ownUnlessAdmin
            let end = SessionEnd(of: try call.id(), ofUser: owner, by: call.attribution)
            try await call.ending { try await call.perform(end) }
            return .removed
        },
        .act(
            "endSessions",
            "/v1/users/{id}/end-sessions",
            .scope(.usersWrite),
            .sessionEnded,
            "End every sign-in of a member at once; tokens and apps go on",
            target: .user,
            answers: .endedSessions
        ) { call in
            try call.requireSecurityAdmin()
            let ended = try await call.perform(SessionsEnd(of: try call.id(), by: call.attribution))
            return .changed(["ended": .integer(ended)])
        },
    ]
}

extension SessionView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "user": .string(user.description), "username": .string(username),
            "second_factor": .string(secondFactor?.rawValue ?? "none"),
            "authenticated_at": .string(authenticatedAt.description), "last_seen_at": .string(lastSeenAt.description),
            "expires_at": .string(expiresAt.description), "address": .orNull(address),
            "user_agent": .orNull(userAgent),
        ]
    }
}

extension Schema {
    fileprivate static let session = Schema.object([
        ("id", .id("ses")), ("user", .id("usr")), ("username", .string),
        (
            "second_factor",
            .word(of: ["none"] + SecondFactorProof.allCases.map(\.rawValue)).described(
                "What proved it besides a password."
            )
        ), ("authenticated_at", .time), ("last_seen_at", .time.described("To the minute.")),
        ("expires_at", .time.described("Whatever happens; without a request it is over earlier.")),
        ("address", .string.orNull), ("user_agent", .string.orNull),
    ]).named(
        "Session",
        example: [
            "id": "ses_01k9qyc5qje1qsv9svhrqgc8d5", "user": "usr_01k9qyc5qje1qsv9svhrqgc8d0",
            "username": "ada@acme.example", "second_factor": "totp", "authenticated_at": "2026-11-21T09:00:00Z",
            "last_seen_at": "2026-11-21T09:30:00Z", "expires_at": "2026-11-21T21:00:00Z",
            "address": "198.51.100.7", "user_agent": "Mozilla/5.0",
        ]
    )

    fileprivate static let endedSessions = Schema.object([("ended", .integer())])
        .named("EndedSessions", example: ["ended": 2])
}
