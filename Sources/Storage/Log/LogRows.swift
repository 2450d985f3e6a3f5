package import Domain
import Logging
import Postgres
package import Transparency

/// A log as its leader takes it up.
package struct OpenedLog: Sendable {
    /// As frozen when the log was made.
    package let origin: String
    package let database: DatabaseLog
    /// Why it waits for an operator; nil while it does not.
    package let halted: String?
    /// Its keys' word for one another, as kept so far.
    package let endorsements: [KeyEndorsement]
}

/// A row of a log that holds what no sequencer writes.
package struct LogRowBroken: Error, Sendable, CustomStringConvertible {
    package let organization: OrganizationID
    package let what: String

    package var description: String { "the log of \(organization): \(what)" }
}

extension Store {
    /// Takes up an organization's log for a leadership, making it where there is none yet, and fences every earlier
    /// leadership. `origin` counts only when it is made. The number in `database` is a larger one where a later leadership
    /// has it already.
    package func openLog(
        of organization: OrganizationID,
        origin: String,
        verifierKeys: [String],
        leadership: Int64
    ) async throws -> OpenedLog {
        try await read(as: organization) { transaction in
            let row = try await transaction.pipeline([
                """
                INSERT INTO audit_logs (organization_id, origin, leadership, root, created_at)
                VALUES (\(organization), \(origin), \(leadership), \(MerkleHash.empty.bytes), \(transaction.startedAt))
                ON CONFLICT (organization_id) DO NOTHING
                """,
                """
                UPDATE audit_logs SET leadership = greatest(leadership, \(leadership)),
                    verifier_keys = \(verifierKeys)
                WHERE organization_id = \(organization)
                RETURNING origin, leadership, size, root, checkpoint, halted, key_endorsements
                """,
            ])[1].only()
            let size = Int(try row.decode("size", as: Int64.self))
            return OpenedLog(
                origin: try row.decode("origin"),
                database: DatabaseLog(
                    size: size,
                    root: try row.merkleHash("root"),
                    edge: try await transaction.tiles(TileCoordinate.edge(ofSize: size)),
                    epoch: try row.decode("leadership"),
                    published: try row.signedCheckpoint("checkpoint")
                ),
                halted: try row.decode("halted"),
                endorsements: try row.keyEndorsements("key_endorsements")
            )
        }
    }

    /// Keeps further words of a log's keys for one another.
    package func keep(_ endorsements: [KeyEndorsement], of organization: OrganizationID) async throws {
        let notes = endorsements.map(\.note.bytes)
        try await read(as: organization) { transaction in
            _ = try await transaction.query(
                """
                UPDATE audit_logs SET key_endorsements = key_endorsements || \(notes)
                WHERE organization_id = \(organization)
                """
            )
        }
    }

    /// The tiles at these places; those that are not there, or are narrower, are left out.
    package func tiles(_ places: [TileCoordinate], of organization: OrganizationID) async throws -> [Tile] {
        try await read(as: organization) { try await $0.tiles(places) }
    }

    /// Writes the checkpoint that is served from now on, unless a later leadership has the log.
    package func record(
        _ signed: SignedCheckpoint,
        of organization: OrganizationID,
        leadership: Int64
    ) async throws -> SequencerOutcome {
        try await written(organization) { transaction in
            let size = Int64(signed.checkpoint.size)
            let rows = try await transaction.query(
                """
                UPDATE audit_logs SET checkpoint = \(signed.note.bytes), checkpoint_size = \(size),
                    published_at = \(transaction.startedAt)
                WHERE organization_id = \(organization) AND leadership = \(leadership)
                RETURNING organization_id
                """
            )
            if rows.isEmpty { throw Fenced() }
            if organization != .root { try await transaction.anchor(signed) }
        }
    }

    /// Notes that the log waits for an operator. Whoever leads later finds the note.
    package func haltLog(of organization: OrganizationID, because reason: String) async throws {
        try await read(as: organization) { transaction in
            _ = try await transaction.query(
                """
                UPDATE audit_logs SET halted = \(reason), halted_at = \(transaction.startedAt)
                WHERE organization_id = \(organization) AND halted IS NULL
                """
            )
        }
    }

    /// Whether the note is still there.
    package func isLogHalted(of organization: OrganizationID) async throws -> Bool {
        try await read(as: organization) { transaction in
            let rows = try await transaction.query(
                "SELECT halted IS NOT NULL AS halted FROM audit_logs WHERE organization_id = \(organization)"
            )
            return try rows.first?.decode("halted") ?? false
        }
    }

    /// Runs a write of the sequencer, and tells what became of it as its machine asks. Throws for rows that somebody
    /// tampered with: trying again does not help.
    func written(
        _ organization: OrganizationID,
        _ body: (OrganizationTransaction) async throws -> Void
    ) async throws(LogRowBroken) -> SequencerOutcome {
        do {
            // Not through `perform`: what is written here is the log of changes, and no change.
            try await read(as: organization, body)
            return .done
        } catch is Fenced {
            return .fenced
        } catch is Withdrawn {
            return .undone
        } catch let broken as LogRowBroken {
            throw broken
        } catch PostgresError.connectionLost(let loss) where loss.outcomeUnknown {
            return .unknown
        } catch {
            logger.warning(
                "A write of the log was undone and is tried again",
                metadata: ["organization": "\(organization)", "error": .string(String(reflecting: error))]
            )
            return .undone
        }
    }
}

/// The row of the log names another leadership, or is not as it was read.
struct Fenced: Error {}

/// Nothing is to be written: what was done so far in the transaction is undone.
struct Withdrawn: Error {}

extension OrganizationTransaction {
    /// The tiles at these places as wide as they are; those that are not there, or are narrower, are left out.
    package func tiles(_ places: [TileCoordinate]) async throws -> [Tile] {
        guard !places.isEmpty else { return [] }
        let rows = try await query(
            """
            SELECT t.level, t.tile_index, t.hashes
            FROM unnest(\(places.map { Int16($0.level) }), \(places.map { Int64($0.index) })) AS w(level, tile_index)
            JOIN audit_tiles t ON t.organization_id = \(organization)
                AND (t.level, t.tile_index) = (w.level, w.tile_index)
            """
        )
        let tiles = try rows.map { row in
            let hashes = try row.decode("hashes", as: [UInt8].self)
            let place = TileCoordinate(
                level: Int(try row.decode("level", as: Int16.self)),
                index: Int(try row.decode("tile_index", as: Int64.self)),
                width: hashes.count / MerkleHash.length
            )
            guard let place else { throw row.refusal(of: "tile_index", because: .malformed("no place of a tile")) }
            return try Tile(place, bytes: hashes)
        }
        return places.compactMap { wanted in
            tiles.first { $0.coordinate.level == wanted.level && $0.coordinate.index == wanted.index }?
                .narrowed(to: wanted.width)
        }
    }
}

extension PostgresRow {
    func merkleHash(_ column: String) throws -> MerkleHash {
        guard let hash = MerkleHash(try decode(column, as: [UInt8].self)) else {
            throw refusal(of: column, because: .malformed("not a SHA-256"))
        }
        return hash
    }

    func keyEndorsements(_ column: String) throws -> [KeyEndorsement] {
        try decode(column, as: [[UInt8]].self).map { try KeyEndorsement(parsing: $0) }
    }

    func signedCheckpoint(_ column: String) throws -> SignedCheckpoint? {
        try decode(column, as: [UInt8]?.self).map { try SignedCheckpoint(parsing: $0) }
    }
}
