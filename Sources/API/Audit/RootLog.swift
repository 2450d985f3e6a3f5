import Domain
import Edge
import HTTPTypes
import Storage
import Transparency

extension Operation {
    static let rootLog: [Operation] = [
        .read(
            "getAuditAnchor",
            "/v1/audit/anchor",
            .scope(.auditRead),
            .auditRead,
            "That the root log holds a checkpoint of the organization's log, and who vouched for that",
            parameters: [
                Parameter(
                    "latest",
                    in: .query,
                    .boolean,
                    "true: by the newest checkpoint of the root log, also where nobody vouched for it yet."
                )
            ],
            answers: .anchor
        ) { call in
            guard let isLatest = ["true": true, "false": false][call.parameters["latest"] ?? "false"] else {
                throw EdgeError.invalid([.init(parameter: "latest", "This has to be true or false.")])
            }
            let (store, organization) = (call.door.store, call.caller.organization)
            let found = try await store.anchoredCheckpoint(of: organization, isLatest: isLatest)
            var json = found?.json ?? AnchoredCheckpoint.nothing
            let keys = try await store.read(as: .root) { try await $0.log()?.verifierKeys } ?? []
            json["root_verifier_keys"] = .array(keys.map(JSON.string))
            return .read(json, notes: ["size": .integer(found?.signed.checkpoint.size ?? 0)])
        },
        file(
            "getAuditRootFile",
            "/v1/audit/root/{file}",
            """
            A file of the root log (C2SP tlog-tiles): `checkpoint`, `tile/…` or `tile/entries/…`. Its leaves are salted \
            digests of checkpoints, and tell nobody whose
            """,
            types: [FileType.text, FileType.bytes],
            rootFile
        ),
    ]

    /// As the files of the organization's own log, whoever reads more of them within the minute is told of once.
    @Sendable
    private static func rootFile(_ call: APICall) async throws -> APIAnswer {
        guard let file = LogFile(path: call.rest), let bytes = try await call.door.store.rootFile(file) else {
            throw EdgeError.notFound
        }
        let (reads, token, now) = (call.door.logReads, call.caller.credential.token, call.context.receivedAt)
        let needsEntry = reads.needsEntry(of: token, at: now)
        var answer = APIAnswer.file(
            bytes,
            type: file == .checkpoint ? FileType.text : FileType.bytes,
            notes: needsEntry
                ? ["log": "root", "file": .string(file.path), "seconds": .integer(LogReads.seconds)] : nil
        )
        if needsEntry { answer.whenTold = { reads.note(token, at: now) } }
        answer.fields[.cacheControl] =
            file == .checkpoint ? "private, max-age=1" : "private, max-age=31536000, immutable"
        return answer
    }
}

extension AnchoredCheckpoint {
    fileprivate static let nothing: JSON.Object = ["checkpoint": .null, "anchor": .null, "timestamps": []]

    fileprivate var json: JSON.Object {
        [
            "checkpoint": .string(String(decoding: signed.note.bytes, as: UTF8.self)),
            "anchor": .string(String(decoding: anchor.proof.bytes, as: UTF8.self)),
            "timestamps": .array(
                root.timestamps.map { stamp in
                    [
                        "authority": .string(stamp.authority),
                        "time": .string(Timestamp(seconds: Int64(stamp.token.time)).description),
                        "token": .string(Base64.standard.encode(stamp.token.bytes)),
                    ]
                }
            ),
        ]
    }
}

extension Schema {
    fileprivate static let anchor = object([
        (
            "checkpoint",
            string.orNull.described("The signed note of the organization's log; null before its first is held.")
        ),
        (
            "anchor",
            string.orNull.described(
                """
                A tlog-proof of the root log, with its checkpoint and the cosignatures of that; its `extra` is the salt \
                without which the leaf means nothing.
                """
            )
        ),
        (
            "timestamps",
            array(
                of: object([
                    ("authority", string), ("time", time),
                    ("token", string.described("DER of an RFC 3161 token over the root checkpoint's text, base64.")),
                ])
            )
        ),
        (
            "root_verifier_keys",
            array(of: string).described("As the root log says. Get them from somebody else before you believe them.")
        ),
    ]).named(
        "AuditAnchor",
        example: [
            "checkpoint":
                "rollcall.example/…\n8\nXcnaeacGWaKa1VnLcB7ZqyqdqCOtL0lgz+Nw7/RgQyg=\n\n— rollcall.example/… …\n",
            "anchor": "c2sp.org/tlog-proof@v1\nextra …\nindex 7\n…\n\nrollcall.example/v1/audit/root\n8\n…\n",
            "timestamps": [
                [
                    "authority": "https://time.example/tsa", "time": "2026-11-21T09:00:00Z", "token": "MIIFWQYJKoZI…",
                ]
            ],
            "root_verifier_keys": [],
        ]
    )
}
