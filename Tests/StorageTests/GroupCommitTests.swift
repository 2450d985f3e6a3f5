import Domain
import Logging
import Postgres
import ServiceLifecycle
import Storage
import TestSupport
import Testing
import Transparency

@Suite struct GroupCommitTests {
    private static func observation(_ fixture: StoreFixture, _ organization: OrganizationID, _ word: Int) -> Observation
    {
        Observation(
            AuditDraft(.organizationRead, .organization(organization), reason: "\(word)"),
            by: Attribution(actor: .system("test"), receivedAt: fixture.clock.now())
        )
    }

    /// A change whose commit ends when it is told to.
    private struct Held: Change {
        let until: AsyncStream<Void>?

        static func make(_ changes: [Held], in _: OrganizationTransaction) async throws -> [Made<Void>] {
            for change in changes {
                guard let until = change.until else { continue }
                for await _ in until {}
            }
            return changes.map { _ in .done((), []) }
        }
    }

    /// Runs the service while `body` runs, then shuts it down gracefully.
    private static func serving<C>(
        _ commit: GroupCommit<C>,
        _ body: @Sendable () async throws -> Void
    ) async throws {
        let group = ServiceGroup(
            services: [commit],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test func `concurrent changes share commits and each is made once`() async throws {
        try await StoreFixture.with { fixture in
            let one = try await fixture.organization("one").id
            let two = try await fixture.organization("two").id
            let commit = GroupCommit<Observation>(fixture.store, name: "test")
            try await Self.serving(commit) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for word in 0..<400 {
                        let organization = word % 4 == 0 ? two : one
                        group.addTask {
                            try await commit.perform(Self.observation(fixture, organization, word), in: organization)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let words = try await fixture.leaves(in: one).compactMap { $0["reason"]?.string }
            #expect(words.count == 300)
            #expect(Set(words).count == 300)
            #expect(try await fixture.leaves(in: two).count == 100)
            let commits = try await fixture.number("SELECT count(DISTINCT recorded_at) FROM audit_entries")
            #expect(commits < 200, "\(commits) commits")
        }
    }

    @Test func `an organization does not wait for a commit of another`() async throws {
        try await StoreFixture.with { fixture in
            let one = try await fixture.organization("one").id
            let two = try await fixture.organization("two").id
            let commit = GroupCommit<Held>(fixture.store, name: "test")
            let (until, release) = AsyncStream<Void>.makeStream()
            try await Self.serving(commit) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await commit.perform(Held(until: until), in: one) }
                    // Whatever comes first, these are done while the first is not.
                    for _ in 0..<3 { try await commit.perform(Held(until: nil), in: two) }
                    release.finish()
                    try await group.waitForAll()
                }
            }
        }
    }

    /// A change that says that it was made.
    private struct Said: Change {
        let until: AsyncStream<Void>
        let made: AsyncStream<Void>.Continuation

        static func make(_ changes: [Said], in _: OrganizationTransaction) async throws -> [Made<Void>] {
            for change in changes {
                for await _ in change.until {}
                change.made.yield()
            }
            return changes.map { _ in .done((), []) }
        }
    }

    @Test func `who can wait only so long is told, and what a commit has taken is made all the same`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization().id
            let commit = GroupCommit<Said>(fixture.store, name: "test")
            let (until, release) = AsyncStream<Void>.makeStream()
            let (made, say) = AsyncStream<Void>.makeStream()
            try await Self.serving(commit) {
                await #expect(throws: Overload.tooLate) {
                    try await commit.perform(Said(until: until, made: say), in: organization, within: .seconds(1))
                }
                release.finish()
                for await _ in made { break }
            }
        }
    }

    @Test func `a change that no commit has taken when its caller leaves is not made`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization().id
            let commit = GroupCommit<Observation>(fixture.store, name: "test")
            // Nobody commits yet.
            await #expect(throws: Overload.tooLate) {
                let left = Self.observation(fixture, organization, 1)
                try await commit.perform(left, in: organization, within: .milliseconds(50))
            }
            try await Self.serving(commit) {
                try await commit.perform(Self.observation(fixture, organization, 2), in: organization)
            }
            #expect(try await fixture.leaves(in: organization).compactMap { $0["reason"]?.string } == ["2"])
        }
    }

    @Test func `after shutdown nothing is taken and what waited is committed`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization().id
            let commit = GroupCommit<Observation>(fixture.store, name: "test")
            try await Self.serving(commit) {
                try await commit.perform(Self.observation(fixture, organization, 1), in: organization)
            }
            await #expect(throws: Overload.closed) {
                try await commit.perform(Self.observation(fixture, organization, 2), in: organization)
            }
            #expect(try await fixture.leaves(in: organization).count == 1)
        }
    }

    @Test func `more than may wait are refused at once and those that wait are made`() async throws {
        try await StoreFixture.with { fixture in
            let organization = try await fixture.organization().id
            let commit = GroupCommit<Observation>(fixture.store, name: "test")
            let extra = 20
            let refused = try await withThrowingTaskGroup(of: Bool.self) { group in
                for word in 0..<(GroupCommit<Observation>.mostWaiting + extra) {
                    group.addTask {
                        do {
                            try await commit.perform(Self.observation(fixture, organization, word), in: organization)
                            return false
                        } catch Overload.tooManyWaiting {
                            return true
                        }
                    }
                }
                // Nobody commits yet: the first answers are refusals.
                var refused = 0
                for _ in 0..<extra { if try await group.next() == true { refused += 1 } }
                try await Self.serving(commit) {}
                while let isRefused = try await group.next() { refused += isRefused ? 1 : 0 }
                return refused
            }
            #expect(refused == extra)
            let made = try await fixture.number("SELECT count(*) FROM audit_entries")
            #expect(made == GroupCommit<Observation>.mostWaiting)
        }
    }
}
