import Domain
import Logging
import Postgres
import Storage

/// Looks at everything that a start would need, and at what an operator should know of a database that is served.
/// Changes nothing.
package struct Doctor: Sendable {
    /// One line of the examination.
    package struct Finding: Sendable {
        /// How it stands. Only `fail` keeps a server from starting, or from keeping its promises.
        package enum State: String, Sendable {
            case ok
            case warn
            case fail
        }

        package let check: String
        package let state: State
        package let found: String
        /// What to do; nil where nothing is to be done.
        package let fix: String?
    }

    private let reader: SettingsReader
    private let logger = Logger(label: "rollcall")

    /// Differences between this machine's clock and the database's beyond this are told.
    package static let mostSkew = Duration.seconds(2)
    /// Work that waits longer is told.
    package static let longestWait = Duration.seconds(60)
    /// Rows that are over may wait that long: a worker looks every minute.
    private static let longestOverdue = Duration.seconds(6 * 3600)

    package init(_ reader: SettingsReader) {
        self.reader = reader
    }

    /// Every finding, in the order in which things depend on each other. Never throws: what cannot be examined is a
    /// finding itself. Changes nothing.
    package func examine() async -> [Finding] {
        var findings = [settings()]
        findings.append(keyring())
        findings.append(await schema())
        findings += await database()
        return findings
    }

    // MARK: Checks

    private func settings() -> Finding {
        do {
            _ = try Settings(reader)
            return Finding(check: "settings", state: .ok, found: "complete", fix: nil)
        } catch {
            return Finding(
                check: "settings",
                state: .fail,
                found: "\(error)",
                fix: "see `rollcall config show --origin`"
            )
        }
    }

    private func keyring() -> Finding {
        do {
            let keyring = try Settings.keyring(reader)
            let found = "\(keyring.ids.count) keys, primary \(keyring.ids.first ?? "")"
            return Finding(check: "keyring", state: .ok, found: found, fix: nil)
        } catch {
            let fix = "make one with `rollcall keys generate --id …`, or put the file back"
            return Finding(check: "keyring", state: .fail, found: "\(error)", fix: fix)
        }
    }

    private func schema() async -> Finding {
        do {
            let url = try Settings.required(.databaseDirectURL, in: reader)
            try await ServerPreflight.migrator(url, logger: logger).verify()
            return Finding(check: "schema", state: .ok, found: "exactly this program's", fix: nil)
        } catch {
            let fix = "look at `rollcall migrate plan`, then `rollcall migrate up`"
            return Finding(check: "schema", state: .fail, found: "\(error)", fix: fix)
        }
    }

    private func database() async -> [Finding] {
        let pool: PostgresPool
        let store: Store
        do {
            var configuration = try Settings.database(reader)
            configuration.size = 2
            pool = PostgresPool(configuration: configuration, logger: logger)
            store = Store(
                pool: pool,
                keyring: try Settings.keyring(reader),
                clock: SystemClock(),
                randomness: SystemRandomness(),
                logger: logger
            )
        } catch {
            return [Finding(check: "database", state: .fail, found: "\(error)", fix: "set what is missing")]
        }
        var findings: [Finding] = []
        findings.append(await finding("database role") { try await role(store) })
        findings.append(await finding("durability") { try await durability(store) })
        findings.append(await finding("partitions") { try await partitions(store) })
        findings.append(await finding("log") { try await log(store) })
        findings.append(await finding("work") { try await work(store) })
        findings.append(await finding("expired rows") { try await expiry(store) })
        findings.append(await finding("clock") { try await clock(store) })
        await pool.close()
        return findings
    }

    private func finding(_ check: String, _ body: () async throws -> (Finding.State, String, String?)) async -> Finding
    {
        do {
            let (state, found, fix) = try await body()
            return Finding(check: check, state: state, found: found, fix: fix)
        } catch {
            return Finding(
                check: check,
                state: .fail,
                found: "\(error)",
                fix: "see that the database runs and that \(Setting.databaseURL.environmentName) leads to it"
            )
        }
    }

    private func role(_ store: Store) async throws -> (Finding.State, String, String?) {
        let standing = try await store.standing()
        let fix = "sign in as rollcall_service or a member of it"
        return standing.isBehindTheWall
            ? (.ok, "\(standing.role), behind row-level security", nil)
            : (.fail, "\(standing.role), which row-level security does not stop", fix)
    }

    private func durability(_ store: Store) async throws -> (Finding.State, String, String?) {
        let durability = try await store.durability()
        let found = """
            fsync \(durability.fsync ? "on" : "off"), full_page_writes \(durability.fullPageWrites ? "on" : "off"), \
            synchronous_commit \(durability.synchronousCommit)
            """
        return durability.holds
            ? (.ok, found, nil) : (.fail, found, "set all of them to on: acknowledged commits may be lost")
    }

    private func partitions(_ store: Store) async throws -> (Finding.State, String, String?) {
        let ahead = try await store.partitionsAhead()
        let fix = "run a process with the sequencer role: it makes them at start and daily"
        let state: Finding.State = ahead > 1 ? .ok : ahead == 1 ? .warn : .fail
        return (state, "\(ahead) ahead of this month", state == .ok ? nil : fix)
    }

    private func log(_ store: Store) async throws -> (Finding.State, String, String?) {
        let logs = try await store.logsStanding()
        let found = """
            \(logs.logs) logs, \(logs.halted) of them halted; the oldest entry without an index waits for \
            \(logs.oldestPendingAge.components.seconds) s
            """
        if let halted = try await store.read(as: .root, { try await $0.log()?.halted }) {
            return (.fail, found + "; the root log: \(halted)", "Operations says what helps, and how to adopt it")
        }
        if logs.halted > 0 {
            return (.fail, found, "nothing of it is signed: `rollcall audit log` says why, Operations what helps")
        }
        guard reader[.checkpointKey] != nil else {
            return (.warn, found, "no key signs the log here: make one with `rollcall keys checkpoint`")
        }
        return logs.oldestPendingAge > Self.longestWait
            ? (.warn, found, "see that a process with the sequencer role runs, and its log") : (.ok, found, nil)
    }

    private func work(_ store: Store) async throws -> (Finding.State, String, String?) {
        let waiting = try await store.workWaiting()
        let found = """
            \(waiting.deliveries) deliveries and \(waiting.events) events wait, the oldest for \
            \(waiting.oldestAge.components.seconds) s; \(waiting.deadEvents) events are dead
            """
        if waiting.oldestAge > Self.longestWait {
            return (.warn, found, "see that a process with the worker role runs, and its log")
        }
        if waiting.deadEvents > 0 {
            return (.warn, found, "look at `rollcall event list --filter 'status eq \"dead\"'`, mend, then retry")
        }
        return (.ok, found, nil)
    }

    private func expiry(_ store: Store) async throws -> (Finding.State, String, String?) {
        let overdue = try await store.expiryOverdue()
        let found = "the oldest waits for \(overdue.components.seconds) s to be removed"
        return overdue > Self.longestOverdue
            ? (.warn, found, "see that a process with the worker role runs, and its log") : (.ok, found, nil)
    }

    private func clock(_ store: Store) async throws -> (Finding.State, String, String?) {
        let before = store.clock.now()
        let theirs = try await store.workWaiting().now
        let after = store.clock.now()
        let skew = theirs < before ? before - theirs : theirs > after ? theirs - after : .zero
        let found = "\(Double(skew.wholeMicroseconds) / 1_000_000) s from the database's"
        return skew > Self.mostSkew
            ? (.warn, found, "let both machines follow one time: signatures are judged by this machine's")
            : (.ok, found, nil)
    }
}
