import TestSupport
import Testing

@Suite struct `Transcripts of the command line` {
    @Test(arguments: try Transcript(named: "help").blocks + Transcript(named: "usage").blocks)
    func `a command without a server prints and ends as written`(block: Transcript.Block) async throws {
        try await replay(block)
    }

    @Test(arguments: try Transcript(named: "client").blocks)
    func `a command prints and ends by what the server answers`(block: Transcript.Block) async throws {
        try await LocalPeer.with(.answers(API.answers)) { port, _ in
            var block = block
            block.environment["ROLLCALL_URL"] = "http://127.0.0.1:\(port)"
            if block.environment["ROLLCALL_TOKEN"] == nil { block.environment["ROLLCALL_TOKEN"] = "rcw_test" }
            try await replay(block)
        }
    }

    private func replay(_ block: Transcript.Block) async throws {
        let run = try await Program.run(block.arguments, environment: block.environment, stdin: block.stdin)
        #expect(run.status == block.status)
        #expect(run.stdout == block.stdout)
        #expect(run.stderr == block.stderr)
    }
}

/// A server of `/v1` that knows just these answers.
private enum API {
    static let answers: [String: String] = [
        "GET /v1/whoami": LocalPeer.json(
            "200 OK",
            #"{"organization": "acme", "user": "usr_1", "kind": "member", "scopes": ["people:read", "audit:read"],"#
                + #" "token": {"id": "tok_1", "expires_at": "2026-11-28T00:00:00Z"}}"#
        ),
        "GET /v1/people?limit=50": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "per_1", "source": "src_1", "externalId": "e-1", "userName": "ada", "displayName":"#
                + #" "=HYPERLINK(1)", "active": true}, {"id": "per_2", "source": "src_1", "externalId": "e-2", "userName":"#
                + #" "\u65e5\u672c", "displayName": "\u001b[31mred", "active": false}], "next_cursor": null}"#
        ),
        "GET /v1/events?limit=1": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "evt_1", "kind": "joiner"}], "next_cursor": "c2"}"#
        ),
        "GET /v1/events?limit=200": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "evt_1", "kind": "joiner"}], "next_cursor": "c2"}"#
        ),
        "GET /v1/events?cursor=c2&limit=200": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "evt_2", "kind": "leaver"}], "next_cursor": null}"#
        ),
        "GET /v1/deliveries?limit=200": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "dlv_1"}], "next_cursor": "gone"}"#
        ),
        "GET /v1/deliveries?cursor=gone&limit=200": LocalPeer.json(
            "503 Service Unavailable",
            #"{"status": 503, "title": "The database is away"}"#
        ),
        "GET /v1/users?filter=userName%20%3D%201&limit=50": LocalPeer.json(
            "400 Bad Request",
            #"{"status": 400, "title": "Bad filter", "detail": "expected an operator at 9", "request_id": "req_7"}"#
        ),
        "GET /v1/sources?limit=50": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "GET /v1/grants/grt_1": LocalPeer.json("200 OK", #"{"id": "grt_1"}"#, headers: "ETag: \"v3\"\r\n"),
        "PATCH /v1/grants/grt_1": LocalPeer.json(
            "412 Precondition Failed",
            #"{"status": 412, "detail": "It has changed since"}"#
        ),
        "POST /v1/grants": LocalPeer.json("201 Created", #"{"id": "grt_9", "status": "active"}"#),
        "POST /v1/grants/grt_1/suspend": LocalPeer.json("200 OK", #"{"id": "grt_1"}"#),
        "DELETE /v1/grants/grt_1": "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "DELETE /v1/grants/grt_2": LocalPeer.json(
            "403 Forbidden",
            #"{"status": 403, "detail": "grants:write is needed"}"#
        ),
        "GET /v1/authorizations?filter=user%20eq%20%22usr_1%22%20and%20%28app_name%20eq%20%22Org%20chart%22%29&limit=50":
            LocalPeer.json(
                "200 OK",
                #"{"items": [{"id": "aut_1", "app": "app_1", "app_name": "Org chart", "user": "usr_1", "username": "ada","#
                    + #" "scopes": ["people:read"], "approved_at": "2026-11-21T09:00:00Z"}], "next_cursor": null}"#
            ),
        "DELETE /v1/authorizations/aut_1": "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "GET /v1/sessions?limit=50": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "ses_1", "user": "usr_1", "username": "ada", "second_factor": "totp", "authenticated_at":"#
                + #" "2026-11-21T09:00:00Z", "last_seen_at": "2026-11-21T09:30:00Z", "address": "198.51.100.7","#
                + #" "user_agent": "Mozilla/5.0"}], "next_cursor": null}"#
        ),
        "DELETE /v1/sessions/ses_1": "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "DELETE /v1/sessions/ses_2": LocalPeer.json(
            "404 Not Found",
            #"{"status": 404, "title": "There is nothing here"}"#
        ),
        "POST /v1/users/usr_1/end-sessions": LocalPeer.json("200 OK", #"{"ended": 2}"#),
        "POST /v1/grants/grt_1/keys": LocalPeer.json("200 OK", #"{"id": "grt_1", "status": "active"}"#),
        "DELETE /v1/grants/grt_1/keys": "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        "POST /v1/audit/entries": LocalPeer.json("201 Created", #"{"appended": 1}"#),
        "GET /v1/audit/entries?actor=usr_1&action=grant.created&limit=50": LocalPeer.json(
            "200 OK",
            #"{"items": [{"id": "ent_1", "recorded_at": "2026-11-21T09:00:00Z", "actor": {"id": "usr_1", "username": "ada"},"#
                + #" "action": "grant.created", "target": {"id": "grt_1"}, "outcome": "success"}], "next_cursor": null}"#
        ),
        "GET /v1/integrations?limit=50": LocalPeer.json("401 Unauthorized", #"{"status": 401, "title": "Sign in"}"#),
    ]
}
