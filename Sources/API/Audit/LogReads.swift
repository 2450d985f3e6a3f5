import Domain
import Synchronization

/// Who was told of already as a reader of something of the log that is read again and again: its files, of which a copy is
/// thousands, or its end, at which somebody waits. An entry for each would make the log longer than it is read.
final class LogReads: Sendable {
    private let told = Mutex<[Reading: Timestamp]>([:])

    /// Who reads what.
    private struct Reading: Hashable {
        let token: TokenID
        let what: String
    }

    /// What is read where it is the log's files.
    static let files = "files"

    /// How long one entry speaks for.
    static let seconds: Int64 = 60
    /// Readers that are remembered. Beyond, each read has its entry.
    private static let most = 10_000

    /// Whether a read at that time needs an entry of its own.
    func needsEntry(of token: TokenID, _ what: String = files, at time: Timestamp) -> Bool {
        told.withLock { told in
            guard let since = told[Reading(token: token, what: what)] else { return true }
            return since > time || time - since >= .seconds(Self.seconds)
        }
    }

    /// An entry that tells of the reader was committed.
    func note(_ token: TokenID, _ what: String = files, at time: Timestamp) {
        told.withLock { told in
            if told.count >= Self.most { told = told.filter { time - $0.value < .seconds(Self.seconds) } }
            if told.count < Self.most { told[Reading(token: token, what: what)] = time }
        }
    }
}
