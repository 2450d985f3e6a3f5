import ArgumentParser
import Foundation
import Transparency

/// Whom to believe.
struct TrustOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A key of the log. May be given again, for a log that changed it.", valueName: "key"))
    var vkey: [String] = []
    @Option(help: ArgumentHelp("Keys of logs and witnesses, and who has to have cosigned.", valueName: "file"))
    var policy: String?
    @Option(help: ArgumentHelp("Which log it has to be, where the keys allow several.", valueName: "name"))
    var origin: String?
    @Option(help: ArgumentHelp("A key's word for the next one. May be given again.", valueName: "file"))
    var endorsement: [String] = []
    @Option(help: ArgumentHelp("Directory in which the root log vouches for a checkpoint.", valueName: "directory"))
    var anchor: String?
    @Option(help: ArgumentHelp("PEM of time stamp authorities: one has to say when.", valueName: "file"))
    var tsa: String?

    func validate() throws {
        guard vkey.isEmpty != (policy == nil) else { throw ValidationError("give --vkey or --policy") }
    }

    /// With what is believed read once.
    func trust(endorsements: [String] = [], anchor directory: String? = nil) throws -> Trust {
        let words = try (endorsement + endorsements).map { file in
            let bytes = try InputFile.bytes(file, atMost: SignedNote.largestBytes)
            do throws(NoteError) {
                return try KeyEndorsement(parsing: bytes)
            } catch {
                throw Fault(error, in: file)
            }
        }
        let own = try believed()
        let policy: LogPolicy
        do throws(NoteError) {
            policy = try own.believing(words)
        } catch {
            throw Fault(error, in: (endorsement + endorsements).first ?? "--endorsement")
        }
        return Trust(
            policy: policy,
            origin: origin,
            anchor: (directory ?? anchor).map { AnchorDirectory(path: $0) },
            authorities: try authorities()
        )
    }

    private func believed() throws -> LogPolicy {
        do {
            guard let policy else { return try LogPolicy(logs: vkey.map { try NoteVerifierKey($0) }) }
            return try LogPolicy(parsing: InputFile.bytes(policy, atMost: LogPolicy.largestBytes))
        } catch let error as NoteError {
            throw Failure(code: Failure.usage, message: "\(policy ?? "--vkey"): \(error)")
        } catch let fault as Fault {
            throw Failure(code: Failure.usage, message: "\(fault.file): \(fault.reason)")
        }
    }

    private func authorities() throws -> TimestampAuthorities? {
        guard let tsa else { return nil }
        do {
            let bytes = try InputFile.bytes(tsa, atMost: TimestampAuthorities.largestBytes)
            return try TimestampAuthorities(pem: String(decoding: bytes, as: UTF8.self))
        } catch let error as TimestampError {
            throw Failure(code: Failure.usage, message: "\(tsa): \(error)")
        } catch let fault as Fault {
            throw Failure(code: Failure.usage, message: "\(fault.file): \(fault.reason)")
        }
    }
}

/// Whom one believes, read.
struct Trust {
    let policy: LogPolicy
    let origin: String?
    let anchor: AnchorDirectory?
    let authorities: TimestampAuthorities?

    /// The signatures that make the checkpoint count. Refuses it otherwise. Where the root log vouches for one, its witnesses
    /// are the root log's.
    func verify(_ signed: SignedCheckpoint, in file: String) throws -> [VerifiedSignature] {
        let found = signed.checkpoint.origin.text
        if let origin, !found.utf8.elementsEqual(origin.utf8) {
            throw Fault(.origin, file, "it is of the log \(found)")
        }
        return try verify(signed, in: file, askingWitnesses: anchor == nil)
    }

    /// What the anchor's directory shows; nil where none was given. Refuses one that does not hold, also for a time that it
    /// lacks and that was asked for.
    func anchored() throws -> Anchored? {
        guard let anchor else {
            guard authorities == nil else {
                throw Fault(.timestamp, "--tsa", "what is stamped is the root log's: give its --anchor")
            }
            return nil
        }
        let signed = try InputFile.checkpoint(anchor.checkpointPath)
        _ = try verify(signed, in: anchor.checkpointPath)
        let bytes = try InputFile.bytes(anchor.proofPath, atMost: LogProof.largestBytes)
        let proof: CheckpointAnchor
        do throws(NoteError) {
            proof = try CheckpointAnchor(parsing: bytes)
        } catch {
            throw Fault(error, in: anchor.proofPath)
        }
        let signatures = try verify(proof.root, in: anchor.proofPath, askingWitnesses: true)
        do throws(TreeError) {
            try proof.verify(signed.checkpoint)
        } catch {
            guard case .rootDiffers = error else { throw Fault(error, in: anchor.proofPath) }
            throw Fault(.altered, anchor.checkpointPath, "it is not the checkpoint that the root log holds there")
        }
        return Anchored(
            signed: signed,
            file: anchor.checkpointPath,
            root: proof.root.checkpoint,
            signatures: signatures,
            times: try times(of: proof.root.checkpoint, in: anchor)
        )
    }

    private func verify(
        _ signed: SignedCheckpoint,
        in file: String,
        askingWitnesses: Bool
    ) throws -> [VerifiedSignature] {
        do throws(NoteError) {
            return try policy.verify(signed, askingWitnesses: askingWitnesses)
        } catch {
            throw Fault(error, in: file)
        }
    }

    /// Every stamp has to hold that is there; without authorities none is looked at.
    private func times(of root: Checkpoint, in anchor: AnchorDirectory) throws -> [Int] {
        guard let authorities else { return [] }
        let tokens = anchor.tokens
        guard !tokens.isEmpty else { throw Fault(.timestamp, anchor.path, "it has no time stamp") }
        return try tokens.map { file in
            let bytes = try InputFile.bytes(file, atMost: TimestampToken.largestBytes)
            do throws(TimestampError) {
                let token = try TimestampToken(parsing: bytes)
                try token.verify(of: root.text, by: authorities)
                return token.time
            } catch {
                throw Fault(error, in: file)
            }
        }
    }
}

/// A checkpoint that the root log vouches for.
struct Anchored {
    let signed: SignedCheckpoint
    let file: String
    /// The root log's checkpoint.
    let root: Checkpoint
    /// Of the root log's checkpoint.
    let signatures: [VerifiedSignature]
    /// When it was stamped, in seconds since 1970.
    let times: [Int]

    /// Refuses unless this is the checkpoint that is vouched for.
    func require(_ other: Checkpoint, in otherFile: String) throws {
        guard signed.checkpoint == other else {
            throw Fault(
                .witness,
                otherFile,
                "the root log vouches for another checkpoint, of size \(signed.checkpoint.size)"
            )
        }
    }

    /// For a report.
    var told: [(name: String, value: JSON)] {
        [
            ("anchored_size", .integer(signed.checkpoint.size)), ("root_log", .string(root.origin.text)),
            ("root_size", .integer(root.size)), ("stamped_at", .array(times.map { .integer($0) })),
        ]
    }
}

/// What vouches for a checkpoint, as an export writes it.
struct AnchorDirectory {
    let path: String

    var checkpointPath: String { path + "/checkpoint" }
    var proofPath: String { path + "/anchor.tlog-proof" }

    /// Files of time stamps, in the order of their names.
    var tokens: [String] {
        let directory = path + "/timestamps"
        // A directory that is not there holds none.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { $0.hasSuffix(".token") }.sorted().map { directory + "/" + $0 }
    }
}

/// How to print.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How to print: text or json.")
    var output: OutputForm = .text
}
