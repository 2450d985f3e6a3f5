import Domain
import Foundation
import Logging
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import AuditLog

/// A log that was read out of the database by its files, and checked as a stranger checks it.
struct CheckedLog {
    let signed: SignedCheckpoint
    let leaves: [[UInt8]]
}

@Suite struct LogSequencerTests {
    static let publicURL = "https://rollcall.test"

    /// An organization whose log is led by as many leaders as a test wants.
    struct Scene: Sendable {
        let fixture: StoreFixture
        let organization: OrganizationID
        let keys: CheckpointKeys
        let directory: String

        var copies: CheckpointCopies { CheckpointCopies(directory: directory) }

        func setting(_ leadership: Int64) -> LedLog.Setting {
            LedLog.Setting(
                leadership: leadership,
                keys: keys,
                originBase: LogSequencer.originBase(of: LogSequencerTests.publicURL),
                rootOrigin: CheckpointKeys.rootOrigin(of: LogSequencerTests.publicURL)
            )
        }

        func open(_ leadership: Int64) async throws -> LedLog {
            try await LedLog.open(organization, setting(leadership), store: fixture.store, copies: copies)
        }

        func sequencer(attestor: RootAttestor? = nil) -> LogSequencer {
            LogSequencer(
                store: fixture.store,
                directURL: fixture.ownerConnectionString,
                keys: keys,
                copies: copies,
                publicURL: LogSequencerTests.publicURL,
                attestor: attestor,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
        }

        /// Commits entries, each of its own change.
        func write(_ count: Int, _ word: String = "entry") async throws {
            let changes = (0..<count).map { place in
                Observation(
                    AuditDraft(.organizationRead, .organization(organization), reason: "\(word) \(place)"),
                    by: Attribution(actor: .system("test"), receivedAt: fixture.clock.now())
                )
            }
            for batch in stride(from: 0, to: count, by: 500) {
                let some = Array(changes[batch..<min(batch + 500, count)])
                for result in try await fixture.store.perform(some, in: organization) { try result.get() }
            }
        }

        func log() async throws -> LogView {
            try #require(try await fixture.store.read(as: organization) { try await $0.log() })
        }

        func file(_ file: LogFile) async throws -> [UInt8]? {
            try await fixture.store.read(as: organization) { try await $0.logFile(file) }
        }

        /// Everything that a stranger would check: each entry under its index, each tile, the root, the signature.
        func checked() async throws -> CheckedLog {
            let signed = try SignedCheckpoint(parsing: try #require(try await file(.checkpoint)))
            let origin = signed.checkpoint.origin
            _ = try LogPolicy(logs: try keys.keys(of: origin).believed).verify(signed)
            let size = signed.checkpoint.size
            var tree = TileTree()
            var leaves: [[UInt8]] = []
            var index = 0
            while let place = BundleCoordinate.at(index: index, size: size) {
                let bytes = try #require(try await file(.entries(place)))
                for leaf in try EntryBundle.decode(bytes, at: place) {
                    leaves.append(Array(leaf))
                    for tile in try tree.append(MerkleHash.leaf(leaf)) {
                        #expect(try await file(.tile(tile.coordinate)) == tile.bytes)
                    }
                }
                index += 1
            }
            for tile in tree.partialTiles { #expect(try await file(.tile(tile.coordinate)) == tile.bytes) }
            #expect(tree.size == size)
            #expect(tree.root == signed.checkpoint.root)
            return CheckedLog(signed: signed, leaves: leaves)
        }

        /// As the owner, past every trigger: what somebody does who has the database.
        func tamper(_ statements: [SQL]) async throws {
            _ = try await fixture.owner.transaction { transaction in
                try await transaction.pipeline(statements)
            }
        }
    }

    static func with(_ body: @Sendable (Scene) async throws -> Void) async throws {
        try await StoreFixture.with { fixture in
            let directory = NSTemporaryDirectory() + "rollcall-copies-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let scene = Scene(
                fixture: fixture,
                organization: try await fixture.organization().id,
                keys: try CheckpointKeys(parsing: try CheckpointKeys.line(using: fixture.randomness)),
                directory: directory
            )
            try await body(scene)
        }
    }

    @Test func `every entry gets one index without a gap, in a log that a stranger can check`() async throws {
        try await Self.with { scene in
            var log = try await scene.open(1)
            for count in [1, 255, 1, 700] {
                try await scene.write(count)
                #expect(try await log.sequence() == count)
                try await log.publish()
            }
            let checked = try await scene.checked()
            #expect(checked.leaves.count == 957)
            #expect(Set(checked.leaves).count == 957)
            #expect(try await scene.fixture.number("SELECT count(*) FROM audit_pending") == 0)
            let written = try await scene.fixture.owner.query("SELECT leaf FROM audit_entries")
                .map { try $0.decode("leaf", as: [UInt8].self) }
            #expect(Set(written) == Set(checked.leaves))
            #expect(checked.signed.checkpoint.origin.text == "rollcall.test/v1/audit/log/\(scene.organization)")
        }
    }

    @Test func `an entry has a receipt once it is signed, and not before`() async throws {
        try await Self.with { scene in
            var log = try await scene.open(1)
            try await scene.write(300)
            let rows = try await scene.fixture.owner.query("SELECT id, leaf FROM audit_entries ORDER BY id LIMIT 1")
            let row = try #require(rows.first)
            let (id, leaf) = (try row.decode("id", as: AuditEntryID.self), try row.decode("leaf", as: [UInt8].self))
            func receipt() async throws -> EntryReceipt? {
                try await scene.fixture.store.read(as: scene.organization) { try await $0.receipt(of: id) }
            }
            guard case .notYet = try await receipt() else { throw Unexpected() }
            _ = try await log.sequence()
            guard case .notYet = try await receipt() else { throw Unexpected() }
            try await log.publish()
            try await scene.write(100)
            _ = try await log.sequence()
            guard case .proved(let proof) = try await receipt() else { throw Unexpected() }
            let read = try LogProof(parsing: proof.bytes)
            try read.verify(leaf: MerkleHash.leaf(leaf))
            #expect(read.signed.checkpoint.size == 300)
            let unknown = scene.fixture.store.newID(AuditEntryID.self)
            let none = try await scene.fixture.store.read(as: scene.organization) { try await $0.receipt(of: unknown) }
            #expect(none == nil)
        }
    }

    private struct Unexpected: Error {}

    @Test func `a leader that another one replaced writes nothing`() async throws {
        try await Self.with { scene in
            var former = try await scene.open(1)
            try await scene.write(10)
            #expect(try await former.sequence() == 10)
            var present = try await scene.open(2)
            try await scene.write(10)
            #expect(try await former.sequence() == 0)
            #expect(former.standing == .deposed)
            #expect(try await present.sequence() == 10)
            try await present.publish()
            // Paused between taking and signing: what it publishes does not count either.
            var stale = try await scene.open(3)
            try await scene.write(5)
            #expect(try await stale.sequence() == 5)
            _ = try await scene.open(4)
            try await stale.publish()
            #expect(stale.standing == .deposed)
            #expect(try await scene.log().signed?.checkpoint.size == 20)
            var last = try await scene.open(5)
            try await last.publish()
            #expect(try await scene.checked().leaves.count == 25)
        }
    }

    @Test func `a database that was restored signs nothing, and says why`() async throws {
        try await Self.with { scene in
            var log = try await scene.open(1)
            try await scene.write(10)
            _ = try await log.sequence()
            try await log.publish()
            let old = try await scene.log()
            try await scene.write(20)
            _ = try await log.sequence()
            try await log.publish()
            // As a backup of before has it.
            try await scene.tamper([
                "ALTER TABLE audit_index DISABLE TRIGGER USER", "ALTER TABLE audit_tiles DISABLE TRIGGER USER",
                "DELETE FROM audit_index WHERE leaf_index >= 10",
                "UPDATE audit_tiles SET hashes = substr(hashes, 1, 320)",
                """
                UPDATE audit_logs SET size = 10, root = \(old.root.bytes), checkpoint_size = 10,
                    checkpoint = \(old.signed?.note.bytes ?? [])
                """,
            ])
            var restored = try await scene.open(2)
            #expect(restored.standing == .waitingForOperator)
            try await scene.write(1)
            #expect(try await restored.sequence() == 0)
            try await restored.publish()
            let view = try await scene.log()
            #expect(view.halted == "the database has 10 entries, of a log that had 30")
            #expect(view.signed?.checkpoint.size == 10)
            // Halted stays halted, whoever comes.
            #expect(try await scene.open(3).standing == .waitingForOperator)
        }
    }

    @Test func `a rewritten log is noticed before anything is signed`() async throws {
        try await Self.with { scene in
            var log = try await scene.open(1)
            try await scene.write(10)
            _ = try await log.sequence()
            try await log.publish()
            // Somebody with the database replaces an entry and computes everything anew.
            var tree = TileTree()
            var hashes: [UInt8] = []
            for place in 0..<10 {
                let hash = MerkleHash.leaf(Array("rewritten \(place)".utf8))
                _ = try tree.append(hash)
                hashes += hash.bytes
            }
            try await scene.tamper([
                "ALTER TABLE audit_tiles DISABLE TRIGGER USER",
                "UPDATE audit_tiles SET hashes = \(hashes)",
                "UPDATE audit_logs SET root = \(tree.root.bytes)",
            ])
            #expect(try await scene.open(2).standing == .waitingForOperator)
            #expect(try await scene.log().halted == "the database's first 10 entries are not those that were signed")
        }
    }

    @Test func `without its copy a log that was published waits for an operator, and a new one does not`() async throws
    {
        try await Self.with { scene in
            var log = try await scene.open(1)
            try await scene.write(3)
            _ = try await log.sequence()
            try await log.publish()
            try FileManager.default.removeItem(atPath: scene.directory)
            try FileManager.default.createDirectory(atPath: scene.directory, withIntermediateDirectories: true)
            #expect(try await scene.open(2).standing == .waitingForOperator)
            #expect(try await scene.log().halted == "3 entries were published, and the copy outside is missing")
            // A directory that is not there is a fault, and not a missing copy: nothing is halted for it.
            try FileManager.default.removeItem(atPath: scene.directory)
            await #expect(throws: CheckpointCopies.Fault.self) {
                _ = try await scene.copies.copy(of: scene.organization)
            }
        }
    }

    @Test func `an operator has a halted log go on, once, and not one that is not halted`() async throws {
        try await Self.with { scene in
            let operatorsWord = Attribution(actor: .system("operator"), receivedAt: scene.fixture.clock.now())
            func adopt() async throws -> LogView {
                try await scene.fixture.store.adoptLog(of: scene.organization, copies: scene.copies, by: operatorsWord)
            }
            await #expect(throws: ChangeRefusal.self) { _ = try await adopt() }
            var log = try await scene.open(1)
            try await scene.write(3)
            _ = try await log.sequence()
            try await log.publish()
            await #expect(throws: ChangeRefusal.self) { _ = try await adopt() }
            try FileManager.default.removeItem(atPath: scene.directory)
            try FileManager.default.createDirectory(atPath: scene.directory, withIntermediateDirectories: true)
            #expect(try await scene.open(2).standing == .waitingForOperator)
            #expect(try await adopt().signed?.checkpoint.size == 3)
            var next = try await scene.open(3)
            #expect(next.standing == .leading)
            // Its own entry, and what was written before.
            #expect(try await next.sequence() == 1)
            try await next.publish()
            let checked = try await scene.checked()
            #expect(checked.leaves.count == 4)
            let last = try JSON.parse(try #require(checked.leaves.last))
            #expect(last["action"] == "log.adopted")
            #expect(last["reason"] == "3 entries were published, and the copy outside is missing")
        }
    }

    @Test func `an entry that was taken out from under the queue halts the log`() async throws {
        try await Self.with { scene in
            var log = try await scene.open(1)
            try await scene.write(3)
            try await scene.tamper([
                "ALTER TABLE audit_entries DISABLE TRIGGER USER",
                "DELETE FROM audit_entries WHERE id = (SELECT id FROM audit_entries ORDER BY id LIMIT 1)",
            ])
            #expect(try await log.sequence() == 0)
            #expect(log.standing == .waitingForOperator)
            #expect(try await scene.log().halted == "1 waiting leaves have no entry")
            #expect(try await scene.fixture.number("SELECT count(*) FROM audit_pending") == 3)
        }
    }

    @Test func `two sequencers and a killed connection leave no gap and no double`() async throws {
        try await Self.with { scene in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 { group.addTask { try await scene.sequencer().run() } }
                for round in 0..<5 {
                    try await scene.write(200, "round \(round)")
                    // Whoever leads loses the session of its lock, and everything that it does in the database.
                    _ = try await scene.fixture.owner.query(
                        """
                        SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l
                        JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
                        WHERE l.locktype = 'advisory'
                        """
                    )
                }
                try await eventually {
                    try await scene.fixture.number(
                        "SELECT count(*) FROM audit_logs WHERE checkpoint_size = 1000"
                    ) == 1
                }
                group.cancelAll()
            }
            #expect(Set(try await scene.checked().leaves).count == 1000)
        }
    }

    @Test func `each organization has a log of its own`() async throws {
        try await Self.with { scene in
            let other = Scene(
                fixture: scene.fixture,
                organization: try await scene.fixture.organization("other").id,
                keys: scene.keys,
                directory: scene.directory
            )
            try await scene.write(5, "mine")
            try await other.write(7, "theirs")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await scene.sequencer().run() }
                try await eventually {
                    try await scene.fixture.number(
                        "SELECT coalesce(sum(checkpoint_size), 0)::bigint FROM audit_logs WHERE tenant_id IS NOT NULL"
                    ) == 12
                }
                group.cancelAll()
            }
            #expect(try await scene.checked().leaves.count == 5)
            #expect(try await other.checked().leaves.count == 7)
            #expect(try await scene.log().origin != (try await other.log().origin))
        }
    }
}
