import Domain
import Foundation
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import AuditLog

@Suite struct RootLogTests {
    typealias Scene = LogSequencerTests.Scene

    /// The root log under one leadership.
    private static func openRoot(_ scene: Scene, _ leadership: Int64) async throws -> LedLog {
        try await LedLog.open(.root, scene.setting(leadership), store: scene.fixture.store, copies: scene.copies)
    }

    private static func grow(_ scene: Scene, _ log: inout LedLog, _ count: Int = 3) async throws {
        try await scene.write(count)
        _ = try await log.sequence()
        try await log.publish()
    }

    private static func rootPolicy(_ scene: Scene) throws -> LogPolicy {
        let origin = try #require(NoteKeyName("rollcall.test/v1/audit/root"))
        return try LogPolicy(logs: scene.keys.rootKeys(of: origin).believed)
    }

    @Test func `every published checkpoint is a leaf that its organization can show, and nobody else`() async throws {
        try await LogSequencerTests.with { scene in
            let other = Scene(
                fixture: scene.fixture,
                organization: try await scene.fixture.organization("other").id,
                keys: scene.keys,
                directory: scene.directory
            )
            var logs = [try await scene.open(1), try await other.open(1)]
            for _ in 0..<3 {
                try await Self.grow(scene, &logs[0])
                try await Self.grow(other, &logs[1])
            }
            var root = try await Self.openRoot(scene, 1)
            #expect(try await root.sequence() == 6)
            try await root.publish()
            for some in [scene, other] {
                let found = try #require(
                    try await scene.fixture.store.anchoredCheckpoint(of: some.organization, isLatest: true)
                )
                #expect(found.signed.checkpoint.size == 9)
                #expect(found.signed.checkpoint.origin.text.hasSuffix("\(some.organization)"))
                let anchor = try CheckpointAnchor(parsing: found.anchor.proof.bytes)
                try anchor.verify(found.signed.checkpoint)
                #expect(anchor.root.checkpoint.size == 6)
                _ = try Self.rootPolicy(scene).verify(anchor.root)
            }
            // What the root log serves names nobody.
            let place = try #require(BundleCoordinate(index: 0, width: 6))
            let bundle = try #require(try await scene.fixture.store.rootFile(.entries(place)))
            let leaves = try EntryBundle.decode(bundle, at: place)
            #expect(Set(leaves).count == 6)
            for leaf in leaves {
                let text = String(decoding: leaf, as: UTF8.self)
                #expect(text.hasPrefix(CheckpointBinding.header) && !text.contains("org_"))
            }
            // One organization's transaction sees neither the root's rows nor the other's checkpoints.
            let seen = try await scene.fixture.store.read(as: scene.organization) { transaction in
                try await transaction.query(
                    """
                    SELECT (SELECT count(*) FROM root_leaves) + (SELECT count(*) FROM root_pending)
                        + (SELECT count(*) FROM audit_checkpoints WHERE organization_id <> \(scene.organization))
                        AS seen
                    """
                )[0].decode("seen", as: Int64.self)
            }
            #expect(seen == 0)
        }
    }

    @Test func `the root log goes on under the next leader, and its files are a log that a stranger can check`()
        async throws
    {
        try await LogSequencerTests.with { scene in
            var log = try await scene.open(1)
            var first = try await Self.openRoot(scene, 1)
            for _ in 0..<3 {
                try await Self.grow(scene, &log)
                _ = try await first.sequence()
                try await first.publish()
            }
            try await Self.grow(scene, &log)
            var next = try await Self.openRoot(scene, 2)
            #expect(try await first.sequence() == 0)
            #expect(first.standing == .deposed)
            #expect(try await next.sequence() == 1)
            try await next.publish()
            let store = scene.fixture.store
            let head = try #require(try await store.rootFile(.checkpoint))
            let signed = try SignedCheckpoint(parsing: head)
            _ = try Self.rootPolicy(scene).verify(signed)
            var tree = TileTree()
            let place = try #require(BundleCoordinate.at(index: 0, size: signed.checkpoint.size))
            let bundle = try #require(try await store.rootFile(.entries(place)))
            for leaf in try EntryBundle.decode(bundle, at: place) { _ = try tree.append(.leaf(leaf)) }
            #expect(tree.root == signed.checkpoint.root && tree.size == 4)
            for tile in tree.partialTiles {
                #expect(try await store.rootFile(.tile(tile.coordinate)) == tile.bytes)
            }
        }
    }

    @Test func `a sequencer leads the root log beside the others, and a checkpoint is in it within seconds`()
        async throws
    {
        try await LogSequencerTests.with { scene in
            try await scene.write(5)
            let store = scene.fixture.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await scene.sequencer().run() }
                try await eventually {
                    try await store.anchoredCheckpoint(of: scene.organization)?.signed.checkpoint.size == 5
                }
                group.cancelAll()
            }
            // Nobody vouched for it yet: the newest is given.
            let found = try #require(try await store.anchoredCheckpoint(of: scene.organization))
            #expect(found.root.timestamps.isEmpty && found.root.signed.note.signatures.count == 1)
        }
    }

    @Test func `a root log that was restored signs nothing`() async throws {
        try await LogSequencerTests.with { scene in
            var log = try await scene.open(1)
            var root = try await Self.openRoot(scene, 1)
            try await Self.grow(scene, &log)
            _ = try await root.sequence()
            try await root.publish()
            let old = try #require(try await scene.fixture.store.read(as: .root) { try await $0.log() })
            try await Self.grow(scene, &log)
            _ = try await root.sequence()
            try await root.publish()
            try await scene.tamper([
                "ALTER TABLE root_leaves DISABLE TRIGGER USER", "ALTER TABLE audit_tiles DISABLE TRIGGER USER",
                "DELETE FROM root_leaves WHERE leaf_index >= 1",
                "UPDATE audit_tiles SET hashes = substr(hashes, 1, 32) WHERE organization_id = \(OrganizationID.root)",
                """
                UPDATE audit_logs SET size = 1, root = \(old.root.bytes), checkpoint_size = 1,
                    checkpoint = \(old.signed?.note.bytes ?? []) WHERE organization_id = \(OrganizationID.root)
                """,
            ])
            #expect(try await Self.openRoot(scene, 2).standing == .waitingForOperator)
            let halted = try await scene.fixture.store.read(as: .root) { try await $0.log()?.halted }
            #expect(halted == "the database has 1 entries, of a log that had 2")
            // Organizations' logs go on.
            var other = try await scene.open(2)
            #expect(other.standing == .leading)
            // Until an operator has looked, of which every organization is told.
            let word = Attribution(actor: .system("operator"), receivedAt: scene.fixture.clock.now())
            let owners = Store(
                pool: scene.fixture.owner,
                keyring: scene.fixture.store.keyring,
                clock: scene.fixture.clock,
                randomness: scene.fixture.randomness,
                logger: scene.fixture.store.logger
            )
            let adopted = try await owners.adoptLog(of: .root, copies: scene.copies, by: word)
            #expect(adopted.signed?.checkpoint.size == 1)
            #expect(try await Self.openRoot(scene, 3).standing == .leading)
            #expect(try await other.sequence() == 1)
            try await other.publish()
            let last = try JSON.parse(try #require(try await scene.checked().leaves.last))
            #expect(last["action"] == "log.adopted")
            #expect(last["after"]?["origin"] == "rollcall.test/v1/audit/root")
            await #expect(throws: ChangeRefusal.self) {
                _ = try await owners.adoptLog(of: .root, copies: scene.copies, by: word)
            }
        }
    }

    @Test func `a check of the live database finds a root leaf that was altered, removed or forked`() async throws {
        try await LogSequencerTests.with { scene in
            var log = try await scene.open(1)
            var root = try await Self.openRoot(scene, 1)
            for _ in 0..<3 { try await Self.grow(scene, &log, 1) }
            _ = try await root.sequence()
            try await root.publish()
            func faults() async throws -> [LogFault.Kind] {
                guard case .held(let copy) = try await scene.copies.copy(of: .root) else {
                    return [.checkpointUnproved]
                }
                var check = LogCheck(
                    of: .root,
                    in: scene.fixture.store,
                    keys: scene.keys,
                    kept: [.init(copy, name: "copy")]
                )
                return try await check.run().faults.map(\.kind)
            }
            let untouched = try await faults()
            #expect(untouched.isEmpty)
            try await scene.tamper([
                "ALTER TABLE root_leaves DISABLE TRIGGER USER",
                "UPDATE root_leaves SET leaf = 'x', leaf_hash = sha256('\\x0078'::bytea) WHERE leaf_index = 1",
                "ALTER TABLE root_leaves ENABLE TRIGGER USER",
            ])
            let altered = try await faults()
            #expect(altered == [.leafAltered])
            try await scene.tamper([
                "ALTER TABLE root_leaves DISABLE TRIGGER USER", "DELETE FROM root_leaves WHERE leaf_index = 1",
                "ALTER TABLE root_leaves ENABLE TRIGGER USER",
                "UPDATE audit_logs SET size = 2, checkpoint_size = 2 WHERE organization_id = \(OrganizationID.root)",
            ])
            let fewer = try await faults()
            #expect(fewer.contains(.entryMissing) && fewer.contains(.rolledBack))
        }
    }

    @Test func `keys that sign together vouch for one another, once`() async throws {
        try await LogSequencerTests.with { scene in
            let lines = try (0..<2).map { _ in try CheckpointKeys.line(using: scene.fixture.randomness) }
            let both = try CheckpointKeys(parsing: lines.joined(separator: "\n"))
            let rotated = Scene(
                fixture: scene.fixture,
                organization: scene.organization,
                keys: both,
                directory: scene.directory
            )
            for leadership in 1...2 as ClosedRange<Int64> {
                var log = try await rotated.open(leadership)
                try await Self.grow(rotated, &log)
            }
            let view = try await rotated.log()
            #expect(view.endorsements.count == 2)
            let origin = try #require(NoteKeyName(view.origin))
            let keys = try both.keys(of: origin).current
            #expect(Set(try KeyEndorsement.believed([keys[0]], by: view.endorsements)) == Set(keys))
            #expect(Set(try KeyEndorsement.believed([keys[1]], by: view.endorsements)) == Set(keys))
        }
    }
}
