import Domain
import Synchronization

/// Who was told of already as a reader of the log's files. A copy of a log is thousands of them, and an entry for each
/// would make the log longer than it is read.
final class LogReads: Sendable {
    private let told = Mutex<[TokenID: Timestamp]>([:])

    /// How long one entry speaks for.
    static let seconds: Int64 = 60
    /// Readers that are remembered. Beyond, each read has its entry.
    private static let most = 10_000

    /// Whether a read at that time needs an entry of its own.
    func needsEntry(of token: TokenID, at time: Timestamp) -> Bool {
        told.withLock { told in
            guard let since = told[token] else { return true }
            return since > time || time - since >= .seconds(Self.seconds)
        }
    }

    /// An entry that tells of the reader was committed.
    func note(_ token: TokenID, at time: Timestamp) {
        told.withLock { told in
            if told.count >= Self.most { told = told.filter { time - $0.value < .seconds(Self.seconds) } }
            if told.count < Self.most { told[token] = time }
        }
    }
}
