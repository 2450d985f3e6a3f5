import Domain
import Logging
import Storage
import Transparency

/// One log under one leadership: the machine that decides, and the hands that do what it asks.
struct LedLog {
    let organization: OrganizationID
    private var machine: Sequencer
    private let origin: NoteKeyName
    private let keys: LogKeys
    private let store: Store
    private let copies: CheckpointCopies
    private let setting: Setting
    private(set) var standing: Standing = .leading

    /// What every log of a leadership shares.
    struct Setting {
        let leadership: Int64
        let keys: CheckpointKeys
        /// Host and path under which logs are served, with the slash at its end: an origin is this and the organization's id.
        let originBase: String
        /// Of the root log, where there is none yet.
        let rootOrigin: String
    }

    enum Standing: Hashable {
        case leading
        /// Another leadership has the log: so it has all, or will.
        case deposed
        /// It was halted, by this leader or an earlier one.
        case waitingForOperator
    }

    /// Why a log cannot be taken up whatever the database says.
    struct OriginUnusable: Error, CustomStringConvertible {
        let origin: String
        var description: String { "\(origin) cannot be the origin of a log" }
    }

    /// Takes up the log of an organization, or the root log, making it where there is none.
    static func open(
        _ organization: OrganizationID,
        _ setting: Setting,
        store: Store,
        copies: CheckpointCopies
    ) async throws -> LedLog {
        let isRoot = organization == .root
        let proposed = isRoot ? setting.rootOrigin : setting.originBase + organization.description
        func keys(of origin: NoteKeyName) throws -> LogKeys {
            try isRoot ? setting.keys.rootKeys(of: origin) : setting.keys.keys(of: origin)
        }
        guard let proposedName = NoteKeyName(proposed) else { throw OriginUnusable(origin: proposed) }
        let opened = try await store.openLog(
            of: organization,
            origin: proposed,
            verifierKeys: try keys(of: proposedName).current.map(\.text),
            leadership: setting.leadership
        )
        guard let origin = NoteKeyName(opened.origin) else { throw OriginUnusable(origin: opened.origin) }
        let keys = try keys(of: origin)
        let endorsements = try keys.endorsements(beyond: opened.endorsements)
        if !endorsements.isEmpty { try await store.keep(endorsements, of: organization) }
        var log = LedLog(
            organization: organization,
            machine: try Sequencer(origin: origin, keys: keys.believed, epoch: setting.leadership),
            origin: origin,
            keys: keys,
            store: store,
            copies: copies,
            setting: setting
        )
        if opened.halted != nil {
            log.standing = .waitingForOperator
            return log
        }
        let copy = try await copies.copy(of: organization)
        try await log.follow(log.machine.begin(database: opened.database, copy: copy))
        return log
    }

    private init(
        organization: OrganizationID,
        machine: Sequencer,
        origin: NoteKeyName,
        keys: LogKeys,
        store: Store,
        copies: CheckpointCopies,
        setting: Setting
    ) {
        self.organization = organization
        self.machine = machine
        self.origin = origin
        self.keys = keys
        self.store = store
        self.copies = copies
        self.setting = setting
    }

    /// Gives indexes to what waits, one batch; returns how many leaves there were.
    mutating func sequence() async throws -> Int {
        guard standing == .leading else { return 0 }
        var machine = machine
        var action = SequencerAction.wait
        var count = 0
        let outcome: SequencerOutcome?
        do {
            outcome = try await store.sequence(of: organization) { pending in
                action = machine.take(pending)
                guard case .commit(let batch) = action else { return nil }
                count = batch.positions.count
                return batch
            }
        } catch {
            try await stop(because: error.what)
            return 0
        }
        if let outcome, count > 0 { action = machine.commitEnded(outcome) }
        self.machine = machine
        try await follow(action)
        return outcome == .done ? count : 0
    }

    /// Signs and publishes what has grown.
    mutating func publish() async throws {
        guard standing == .leading else { return }
        try await follow(machine.publish())
    }

    /// Does what the machine asks until it asks for nothing.
    private mutating func follow(_ first: SequencerAction) async throws {
        var action = first
        while true {
            switch action {
            case .wait: return
            case .read(let places):
                action = machine.tilesRead(try await store.tiles(places, of: organization))
            case .sign(let checkpoint): action = machine.signed(try keys.sign(checkpoint))
            case .swap(let old, let new):
                if let found = try await copies.swap(old, for: new, of: organization) {
                    action = machine.swapRefused(found: found)
                } else {
                    action = machine.swapped()
                }
            case .record(let signed):
                let outcome = try await store.record(signed, of: organization, leadership: setting.leadership)
                action = machine.recordEnded(outcome)
            case .reload:
                let opened = try await store.openLog(
                    of: organization,
                    origin: origin.text,
                    verifierKeys: keys.current.map(\.text),
                    leadership: setting.leadership
                )
                action = machine.begin(database: opened.database, copy: try await copies.copy(of: organization))
            case .stepDown:
                standing = .deposed
                return
            case .halt(let reason):
                try await stop(because: "\(reason)")
                return
            // Only `sequence` has the transaction that a batch is written in.
            case .commit: return
            }
        }
    }

    private mutating func stop(because reason: String) async throws {
        standing = .waitingForOperator
        store.logger.critical(
            "A log is halted: it takes entries, and signs nothing until an operator has looked",
            metadata: ["organization": "\(organization)", "reason": "\(reason)"]
        )
        try await store.haltLog(of: organization, because: reason)
    }
}
