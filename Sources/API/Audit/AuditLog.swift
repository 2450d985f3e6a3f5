import Domain
import Edge
import HTTPTypes
import Hummingbird
import Storage
import Transparency

extension Operation {
    static let auditLog: [Operation] = [
        .read(
            "getAuditLog",
            "/v1/audit/log",
            .scope(.auditRead),
            .auditRead,
            "Where the organization's log stands",
            answers: .auditLog
        ) { call in
            .read(try await call.read { try await $0.log() }?.json ?? LogView.nothing)
        },
        .read(
            "getAuditConsistency",
            "/v1/audit/consistency",
            .scope(.auditRead),
            .auditRead,
            "That the log goes on from one that was signed before",
            parameters: [
                Parameter(
                    "from",
                    in: .query,
                    .integer(from: 1, to: TileTree.largestSize),
                    "Size of the older log, as its checkpoint says it.",
                    isRequired: true
                )
            ],
            answers: .consistency
        ) { call in
            guard let from = call.parameters["from"].flatMap({ Int($0) }), from > 0 else {
                throw EdgeError.invalid([.init(parameter: "from", "This has to be the size of a log, 1 or more.")])
            }
            guard let (proof, signed) = try await call.read({ try await $0.consistency(from: from) }) else {
                throw EdgeError.invalid([.init(parameter: "from", "Nothing of that size was signed yet.")])
            }
            return .read(
                [
                    "from": .integer(from),
                    "to": .integer(proof.size),
                    "hashes": .array(proof.hashes.map { .string($0.base64) }),
                    "checkpoint": .string(String(decoding: signed.note.bytes, as: UTF8.self)),
                ],
                notes: ["from": .integer(from)]
            )
        },
        file(
            "getAuditReceipt",
            "/v1/audit/entries/{id}/receipt",
            "The receipt of an entry (C2SP tlog-proof), to be checked offline",
            target: .auditEntry,
            types: [FileType.text],
            receipt
        ),
        file(
            "getAuditLogFile",
            "/v1/audit/log/{organization}/{file}",
            """
            A file of the log (C2SP tlog-tiles): `checkpoint`, `tile/…` or `tile/entries/…`. `file` is all that follows, \
            slashes included
            """,
            target: PathTarget(AuditTarget.organization),
            types: [FileType.text, FileType.bytes],
            logFile
        ),
    ]

    enum FileType {
        static let text = "text/plain; charset=utf-8"
        static let bytes = "application/octet-stream"
    }

    static func file(
        _ id: String,
        _ path: String,
        _ summary: String,
        target: PathTarget? = nil,
        types: [String],
        _ run: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) -> Operation {
        var answers = Answers(.ok, nil, "The file.")
        answers.files = types
        return Operation(
            id: id,
            method: .get,
            path: path,
            access: .scope(.auditRead),
            action: .auditRead,
            summary: summary,
            takesRest: path.hasSuffix("{file}"),
            target: target,
            answers: answers,
            run: .called(run)
        )
    }

    /// How long a receipt waits for the checkpoint that covers it: somewhat longer than two checkpoints are apart.
    private static let receiptPatience = Duration.seconds(3)
    private static let receiptPause = Duration.milliseconds(100)

    @Sendable
    private static func receipt(_ call: APICall) async throws -> APIAnswer {
        let id = try call.id(as: AuditEntryID.self)
        let deadline = ContinuousClock.now + receiptPatience
        while true {
            switch try await call.read({ try await $0.receipt(of: id) }) {
            case nil: throw EdgeError.notFound
            case .proved(let proof):
                var answer = APIAnswer.file(proof.bytes, type: FileType.text, notes: [:])
                answer.fields[.contentDisposition] = "attachment; filename=\"\(id).tlog-proof\""
                return answer
            case .notYet:
                guard ContinuousClock.now < deadline else { throw EdgeError.unavailable(retryAfterSeconds: 2) }
                try await Task.sleep(for: receiptPause)
            }
        }
    }

    /// A copy of the log is thousands of files: whoever reads more of them within the minute is told of once.
    @Sendable
    private static func logFile(_ call: APICall) async throws -> APIAnswer {
        guard call.context.parameters.get("organization") == call.caller.organization.description,
            let file = LogFile(path: call.rest),
            let bytes = try await call.read({ try await $0.logFile(file) })
        else { throw EdgeError.notFound }
        let (reads, token, now) = (call.door.logReads, call.caller.credential.token, call.context.receivedAt)
        let needsEntry = reads.needsEntry(of: token, at: now)
        var answer = APIAnswer.file(
            bytes,
            type: file == .checkpoint ? FileType.text : FileType.bytes,
            notes: needsEntry ? ["file": .string(file.path), "seconds": .integer(LogReads.seconds)] : nil
        )
        if needsEntry { answer.whenTold = { reads.note(token, at: now) } }
        // Full files never change; a narrower one is the beginning of a wider one.
        answer.fields[.cacheControl] =
            file == .checkpoint ? "private, max-age=1" : "private, max-age=31536000, immutable"
        return answer
    }
}

extension LogView {
    fileprivate static let nothing: JSON.Object = [
        "origin": .null, "size": 0, "root": .null, "checkpoint_size": 0, "published_at": .null, "verifier_keys": [],
        "halted": .null, "key_endorsements": [],
    ]

    fileprivate var json: JSON.Object {
        [
            "origin": .string(origin),
            "size": .integer(size),
            "root": .string(root.base64),
            "checkpoint_size": .integer(signed?.checkpoint.size ?? 0),
            "published_at": publishedAt.map { .string($0.description) } ?? .null,
            "verifier_keys": .array(verifierKeys.map(JSON.string)),
            "halted": halted.map(JSON.string) ?? .null,
            "key_endorsements": .array(
                endorsements.map { .string(String(decoding: $0.note.bytes, as: UTF8.self)) }
            ),
        ]
    }
}

extension Schema {
    fileprivate static let auditLog = object([
        (
            "origin",
            string.orNull.described("Names the log in its checkpoints; null before its first entry was indexed.")
        ),
        ("size", integer().described("Entries that have an index.")),
        ("root", string.orNull.described("Root of the tree over them, base64.")),
        ("checkpoint_size", integer().described("Entries that the checkpoint covers.")),
        ("published_at", time.orNull),
        (
            "verifier_keys",
            array(of: string).described("As the log says. Get them from somebody else before you believe them.")
        ),
        ("halted", string.orNull.described("Why nothing is signed before an operator has looked.")),
        (
            "key_endorsements",
            array(of: string).described("Signed notes in which a key of the log vouches for another one.")
        ),
    ]).named(
        "AuditLog",
        example: [
            "origin": "rollcall.example/v1/audit/log/org_01k9qyc5qje1qsv9svhrqgc8d6", "size": 20_852_163,
            "root": "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", "checkpoint_size": 20_852_163,
            "published_at": "2026-11-21T09:00:00Z",
            "verifier_keys": [
                """
                rollcall.example/v1/audit/log/org_01k9qyc5qje1qsv9svhrqgc8d6+530d903a\
                +AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
                """
            ],
            "halted": .null, "key_endorsements": [],
        ]
    )

    fileprivate static let consistency = object([
        ("from", integer(from: 1)), ("to", integer(from: 1)),
        ("hashes", array(of: string).described("RFC 9162 section 2.1.4.1, base64.")),
        ("checkpoint", string.described("The signed note of the larger one.")),
    ]).named(
        "AuditConsistency",
        example: [
            "from": 6, "to": 8,
            "hashes": [
                "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3r7FWO8Wo=", "yoVOoSjtBQtBs1/8G4frjrLkYRnjWRXOltbLWZdaCuA=",
            ],
            "checkpoint":
                "rollcall.example/…\n8\nXcnaeacGWaKa1VnLcB7ZqyqdqCOtL0lgz+Nw7/RgQyg=\n\n— rollcall.example/… …\n",
        ]
    )
}
