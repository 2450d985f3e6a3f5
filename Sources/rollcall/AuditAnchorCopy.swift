import Evidence
import Foundation
import Transparency

/// What vouches for a log, as the server has it: the newest checkpoint that the root log holds, its receipt there, and the
/// stamps of the root log's checkpoint.
struct RemoteAnchor: Sendable {
    let checkpoint: SignedCheckpoint
    let proof: CheckpointAnchor
    let tokens: [[UInt8]]
    /// As the server says: whoever verifies gets them from somebody else.
    let rootKeys: [String]

    /// nil where the root log holds none of the log's checkpoints yet.
    static func fetch(_ client: APIClient) async throws -> RemoteAnchor? {
        let answer = try await client.get("/v1/audit/anchor").body
        if answer["checkpoint"] == .null { return nil }
        guard let checkpoint = answer["checkpoint"]?.string, let proof = answer["anchor"]?.string else {
            throw CommandFailure(.failure, "the server's answer is no anchor; is --url right?")
        }
        do {
            let anchor = RemoteAnchor(
                checkpoint: try SignedCheckpoint(parsing: Array(checkpoint.utf8)),
                proof: try CheckpointAnchor(parsing: Array(proof.utf8)),
                tokens: (answer["timestamps"]?.array ?? []).compactMap { stamp in
                    stamp["token"]?.string.flatMap { Base64.standard.decode($0) }
                },
                rootKeys: (answer["root_verifier_keys"]?.array ?? []).compactMap(\.string)
            )
            // Kept for those who verify: one that does not hold is none.
            try anchor.proof.verify(anchor.checkpoint.checkpoint)
            return anchor
        } catch {
            throw CommandFailure(.failure, "the server's anchor does not hold: \(error)")
        }
    }

    /// Its files, by their paths in the directory of an anchor.
    var files: [(path: String, bytes: [UInt8])] {
        [(BundleFile.anchored, checkpoint.note.bytes), (BundleFile.proof, proof.proof.bytes)]
            + tokens.enumerated().map { ("\(BundleFile.timestamps)/\($0).token", $1) }
    }

    /// Writes it in place of the one that was there.
    func write(to directory: URL) throws {
        do {
            if FileManager.default.fileExists(atPath: directory.path()) {
                try FileManager.default.removeItem(at: directory)
            }
            for (path, bytes) in files { try LocalFile.write(bytes, to: directory.appending(path: path)) }
        } catch let error as CocoaError {
            throw CommandFailure(.failure, "\(directory.path()) cannot be written: \(error.localizedDescription)")
        }
    }
}

/// Files of an export.
enum LocalFile {
    /// Whole or not at all, with the directories above it.
    static func write(_ bytes: [UInt8], to place: URL) throws {
        try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(bytes).write(to: place, options: .atomic)
    }
}
