package import Domain
package import Storage
import Transparency

extension Store {
    /// An operator's decision that a halted log, or the root log, goes on as the database has it. That of the root log is an
    /// entry of every organization. Refuses a log that is not there, and one that
    /// is not halted. With the owner's connection alone.
    ///
    /// The copy is replaced while the log is still halted: nobody leads it meanwhile, and a leader that finds it going on
    /// finds the new copy too. Cut off in between it is still halted, and adopting it again does the rest.
    package func adoptLog(
        of organization: OrganizationID,
        copies: CheckpointCopies,
        by attribution: Attribution
    ) async throws -> LogView {
        guard let log = try await read(as: organization, { try await $0.log() }) else { throw ChangeRefusal.notFound }
        guard log.halted != nil else { throw ChangeRefusal.conflict("The log is not halted.") }
        try await copies.adopt(log.signed, of: organization)
        guard organization == .root else {
            return try await perform(LogAdoption(of: organization, by: attribution), in: organization)
        }
        for each in try await organizations() {
            try await perform(LogAdoption.told(to: each.id, of: log, by: attribution), in: each.id)
        }
        try await releaseRootLog()
        return log
    }
}
