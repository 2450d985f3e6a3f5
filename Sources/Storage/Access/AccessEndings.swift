package import Domain
import Postgres

extension OrganizationTransaction {
    /// Says that this transaction changes whose access `subject` is: what any node cached of it counts no more.
    ///
    /// Every change calls it that ends access or narrows it (status, epoch, scopes, addresses, expiry, revocation), and
    /// also where it may only widen what existed: who was let in again should not be refused from memory. What only makes
    /// new access, and what accepts deliveries, calls it never: nothing of that is cached yet.
    ///
    /// The row travels with the COMMIT. It is not a NOTIFY, which would make commits wait for each other.
    package func narrow(_ subject: AccessSubject) { narrow([subject]) }

    /// As above, for many in one statement.
    package func narrow(_ subjects: [AccessSubject]) {
        guard !subjects.isEmpty else { return }
        suspend(subjects)
        atCommit([
            """
            INSERT INTO access_endings (organization_id, subject, subject_id)
            SELECT \(organization), s.subject, s.id
            FROM unnest(\(subjects.map(\.word)), \(subjects.map(\.bits))) AS s(subject, id)
            """
        ])
    }
}
