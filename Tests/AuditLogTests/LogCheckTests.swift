import Domain
import Foundation
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import AuditLog

extension StoreFixture {
    /// As operators have it.
    fileprivate var ownersStore: Store {
        Store(pool: owner, keyring: store.keyring, clock: clock, randomness: randomness, logger: store.logger)
    }
}

/// What somebody does to a live database, and what a check of it says. Each test tampers as the owner, past every trigger.
@Suite struct LogCheckTests {
    typealias Scene = LogSequencerTests.Scene

    /// A signed log of 700 entries with its copy outside.
    private static func with(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await LogSequencerTests.with { scene in
            var log = try await scene.open(1)
            try await scene.write(700)
            _ = try await log.sequence()
            try await log.publish()
            try await body(scene)
        }
    }

    private static func check(_ scene: Scene, kept: [LogCheck.Kept] = []) async throws -> LogCheckReport {
        guard case .held(let copy) = try await scene.copies.copy(of: scene.organization) else { throw NoCopy() }
        var check = LogCheck(
            of: scene.organization,
            in: scene.fixture.ownersStore,
            keys: scene.keys,
            kept: kept + [LogCheck.Kept(copy, name: "copy")]
        )
        return try await check.run()
    }

    private static func faults(_ scene: Scene, kept: [LogCheck.Kept] = []) async throws -> [String] {
        try await check(scene, kept: kept).faults.map { "\($0.kind.rawValue) \($0.place ?? "")" }
    }

    private struct NoCopy: Error {}

    private static let unguarded: [SQL] = [
        "ALTER TABLE audit_entries DISABLE TRIGGER USER", "ALTER TABLE audit_index DISABLE TRIGGER USER",
        "ALTER TABLE audit_tiles DISABLE TRIGGER USER",
    ]
    private static let guarded: [SQL] = [
        "ALTER TABLE audit_entries ENABLE TRIGGER USER", "ALTER TABLE audit_index ENABLE TRIGGER USER",
        "ALTER TABLE audit_tiles ENABLE TRIGGER USER",
    ]

    private static func tamper(_ scene: Scene, _ statement: SQL) async throws {
        try await scene.tamper(unguarded + [statement] + guarded)
    }

    private static let seventh: SQL = "(SELECT entry_id FROM audit_index WHERE leaf_index = 7)"

    @Test func `a log that nobody touched has no fault, also while entries wait and more come`() async throws {
        try await Self.with { scene in
            try await scene.write(5, "waiting")
            let report = try await Self.check(scene)
            #expect(report.faults.isEmpty && report.faultCount == 0)
            #expect(report.size == 700 && !report.believesDatabase)
            #expect(try await scene.fixture.ownersStore.logGuards().missing.isEmpty)
        }
    }

    @Test func `a log that is not there yet has no fault`() async throws {
        try await LogSequencerTests.with { scene in
            var check = LogCheck(of: scene.organization, in: scene.fixture.ownersStore, keys: nil, kept: [])
            let report = try await check.run()
            #expect(report.faults.isEmpty && report.size == 0 && report.origin == nil)
        }
    }

    @Test func `an edited leaf is one fault, at its index`() async throws {
        try await Self.with { scene in
            try await Self.tamper(
                scene,
                """
                UPDATE audit_entries SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '"reason":"entry',
                    '"reason":"ENTRY'), 'UTF8') WHERE id = \(Self.seventh)
                """
            )
            #expect(try await Self.faults(scene) == ["leaf_altered 7"])
        }
    }

    @Test(arguments: ["action = 'grant.created'", "outcome = 'refused'", "person_id = id", "actor_id = id"] as [SQL])
    func `an edited column is a fault though its leaf proves`(edit: SQL) async throws {
        try await Self.with { scene in
            try await Self.tamper(scene, "UPDATE audit_entries SET \(edit) WHERE id = \(Self.seventh)")
            #expect(try await Self.faults(scene) == ["columns_altered 7"])
        }
    }

    @Test func `an edited search column is a fault`() async throws {
        try await Self.with { scene in
            try await Self.tamper(scene, "UPDATE audit_index SET target_id = entry_id WHERE leaf_index = 7")
            #expect(try await Self.faults(scene) == ["columns_altered 7"])
        }
    }

    @Test func `what a leaf only names is read whole, and is a fault where it is gone or altered`() async throws {
        try await Self.with { scene in
            let after: JSON.Object = ["note": .string(String(repeating: "x", count: 100_000))]
            let large = Observation(
                AuditDraft(.organizationRead, .organization(scene.organization), after: after),
                by: Attribution(actor: .system("test"), receivedAt: scene.fixture.clock.now())
            )
            for _ in 0..<2 { try await scene.fixture.store.perform(large, in: scene.organization) }
            var log = try await scene.open(2)
            #expect(try await log.sequence() == 2)
            try await log.publish()
            #expect(try await scene.fixture.number("SELECT count(*) FROM audit_blobs") == 1)
            let row = try #require(
                try await scene.fixture.owner.query("SELECT entry_id FROM audit_index WHERE leaf_index = 701").first
            )
            let id = try row.decode("entry_id", as: AuditEntryID.self)
            func entry() async throws -> AuditEntryView? {
                try await scene.fixture.store.read(as: scene.organization) {
                    try await $0.auditEntry(id, disclosing: false)
                }
            }
            let read = try #require(try await entry())
            #expect(read.members["after"] == .object(after) && read.leaf.count < 2_000)
            #expect(try await Self.faults(scene).isEmpty)
            // Not even the owner keeps other bytes under a digest without taking the constraint away.
            try await scene.tamper([
                "ALTER TABLE audit_blobs DISABLE TRIGGER USER",
                "ALTER TABLE audit_blobs DROP CONSTRAINT audit_blobs_content_addressed",
                "UPDATE audit_blobs SET bytes = bytes || '\\x20'",
            ])
            #expect(try await Self.faults(scene) == ["blob_altered 701"])
            await #expect(throws: (any Error).self) { _ = try await entry() }
            try await scene.tamper(["DELETE FROM audit_blobs"])
            #expect(try await Self.faults(scene) == ["blob_altered 701"])
        }
    }

    @Test func `a deleted entry, and a deleted index, are faults`() async throws {
        try await Self.with { scene in
            try await Self.tamper(scene, "DELETE FROM audit_entries WHERE id = \(Self.seventh)")
            try await Self.tamper(scene, "DELETE FROM audit_index WHERE leaf_index = 300")
            let found = try await Self.faults(scene)
            #expect(found.prefix(2) == ["entry_missing 7", "entry_missing 300"])
            // The entry of the other is there, and no log has it.
            #expect(found.count == 3 && found[2].hasPrefix("queue_altered ent_"))
        }
    }

    @Test func `two entries that changed places are faults, with all that search says of them`() async throws {
        try await Self.with { scene in
            try await Self.tamper(
                scene,
                """
                WITH gone AS (DELETE FROM audit_index WHERE leaf_index IN (7, 8) RETURNING *)
                INSERT INTO audit_index SELECT organization_id, 15 - leaf_index, entry_id, recorded_at, actor_id, action,
                    target_id, person_id, outcome FROM gone ORDER BY leaf_index
                """
            )
            #expect(try await Self.faults(scene) == ["leaf_altered 7", "leaf_altered 8"])
        }
    }

    @Test func `a tree that was made anew is a fork of what was signed`() async throws {
        try await Self.with { scene in
            let leaf = Array("rewritten".utf8)
            var tree = TileTree()
            var tiles: [Tile] = []
            let rows = try await scene.fixture.owner.query(
                """
                SELECT e.leaf FROM audit_index i JOIN audit_entries e ON e.id = i.entry_id ORDER BY i.leaf_index
                """
            )
            for (place, row) in rows.enumerated() {
                let hash = MerkleHash.leaf(place == 7 ? leaf : try row.decode("leaf", as: [UInt8].self))
                tiles += try tree.append(hash)
            }
            tiles += tree.partialTiles
            for tile in tiles {
                try await Self.tamper(
                    scene,
                    """
                    UPDATE audit_tiles SET hashes = \(tile.bytes)
                    WHERE level = \(Int16(tile.coordinate.level)) AND tile_index = \(Int64(tile.coordinate.index))
                    """
                )
            }
            try await Self.tamper(scene, "UPDATE audit_entries SET leaf = \(leaf) WHERE id = \(Self.seventh)")
            try await Self.tamper(scene, "UPDATE audit_logs SET root = \(tree.root.bytes)")
            let found = try await Self.faults(scene)
            #expect(found.contains("forked checkpoint") && found.contains("forked copy"))
            #expect(!found.contains { $0.hasPrefix("tile_altered") || $0.hasPrefix("root_altered") })
        }
    }

    @Test func `hashes inside the tree and the root are compared with what is under them`() async throws {
        try await Self.with { scene in
            try await Self.tamper(
                scene,
                "UPDATE audit_tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 1"
            )
            #expect(try await Self.faults(scene) == ["tile_altered tile/1/000.p/2"])
            try await Self.tamper(scene, "UPDATE audit_logs SET root = set_byte(root, 0, get_byte(root, 0) # 1)")
            #expect(try await Self.faults(scene) == ["root_altered ", "tile_altered tile/1/000.p/2"])
            try await Self.tamper(scene, "DELETE FROM audit_tiles WHERE level = 0 AND tile_index = 1")
            #expect(try await Self.faults(scene).first == "tile_altered tile/0/001")
        }
    }

    @Test func `a log that was cut off or restored is behind what was kept outside`() async throws {
        try await Self.with { scene in
            let old = try await scene.log()
            var log = try await scene.open(2)
            try await scene.write(20)
            _ = try await log.sequence()
            try await log.publish()
            try await Self.tamper(
                scene,
                """
                UPDATE audit_logs SET size = 700, root = \(old.root.bytes), checkpoint_size = 700,
                    checkpoint = \(old.signed?.note.bytes ?? [])
                """
            )
            let found = try await Self.faults(scene)
            #expect(found.first == "rolled_back copy")
            #expect(found.count { $0.hasPrefix("beyond_the_end") } == 20)
        }
    }

    @Test func `two checkpoints that were taken away do not hide what a kept one shows`() async throws {
        try await Self.with { scene in
            let kept = LogCheck.Kept(try #require(try await scene.log().signed), name: "kept.checkpoint")
            try await scene.copies.adopt(nil, of: scene.organization)
            try await Self.tamper(
                scene,
                """
                UPDATE audit_logs SET checkpoint = NULL, checkpoint_size = NULL, published_at = NULL, size = 600
                """
            )
            var check = LogCheck(of: scene.organization, in: scene.fixture.ownersStore, keys: scene.keys, kept: [kept])
            #expect(try await check.run().faults.first?.kind == .rolledBack)
        }
    }

    @Test func `a checkpoint by another key is not believed`() async throws {
        try await Self.with { scene in
            let other = try CheckpointKeys(parsing: try CheckpointKeys.line(using: SeededRandomness(seed: 9)))
            var check = LogCheck(of: scene.organization, in: scene.fixture.ownersStore, keys: other, kept: [])
            #expect(try await check.run().faults.map(\.kind) == [.checkpointUnproved])
        }
    }

    @Test func `what waits for its index and was taken out, or altered, is a fault`() async throws {
        try await Self.with { scene in
            try await scene.write(3, "waiting")
            try await Self.tamper(
                scene,
                "DELETE FROM audit_pending WHERE id = (SELECT min(id) FROM audit_pending)"
            )
            try await Self.tamper(
                scene,
                """
                UPDATE audit_pending SET leaf_hash = sha256('other') WHERE id = (SELECT min(id) FROM audit_pending)
                """
            )
            try await Self.tamper(
                scene,
                """
                INSERT INTO audit_pending (organization_id, entry_id, recorded_at, leaf_hash)
                SELECT organization_id, entry_id, recorded_at, sha256('x') FROM audit_index WHERE leaf_index = 7
                """
            )
            let found = try await Self.check(scene).faults
            #expect(found.map(\.kind) == [.queueAltered, .queueAltered, .queueAltered])
            #expect(Set(found.map(\.found)).count == 3)
        }
    }

    @Test(
        arguments: [
            "ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_append_only",
            "DROP TRIGGER audit_index_append_only ON audit_index",
            """
            CREATE OR REPLACE FUNCTION refuse_regrown_tile() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RETURN NEW; END $$
            """,
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY", "ALTER TABLE grants NO FORCE ROW LEVEL SECURITY",
            "GRANT UPDATE ON audit_entries TO rollcall_service", "GRANT DELETE ON audit_index TO PUBLIC",
        ] as [SQL]
    )
    func `a guard that is off is told, whichever`(how: SQL) async throws {
        try await LogSequencerTests.with { scene in
            _ = try await scene.fixture.owner.query(how)
            let missing = try await scene.fixture.ownersStore.logGuards().missing
            #expect(!missing.isEmpty)
        }
    }
}
