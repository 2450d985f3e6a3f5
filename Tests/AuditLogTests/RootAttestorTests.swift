import Domain
import Foundation
import Outbound
import Postgres
import Storage
import TestSupport
import Testing
import Transparency

@testable import AuditLog

@Suite struct RootAttestorTests {
    typealias Scene = LogSequencerTests.Scene

    /// A root log with one checkpoint, and what grows it.
    private struct World {
        let scene: Scene
        var log: LedLog
        var root: LedLog

        mutating func grow() async throws {
            try await scene.write(1)
            _ = try await log.sequence()
            try await log.publish()
            _ = try await root.sequence()
            try await root.publish()
        }
    }

    private static func with(_ body: @escaping @Sendable (inout World) async throws -> Void) async throws {
        try await LogSequencerTests.with { scene in
            // Stamps of other programs tell the time of now.
            scene.fixture.clock.advance(by: .seconds(Date().timeIntervalSince1970 - 1_795_251_600))
            var world = World(
                scene: scene,
                log: try await scene.open(1),
                root: try await LedLog.open(.root, scene.setting(1), store: scene.fixture.store, copies: scene.copies)
            )
            try await world.grow()
            try await body(&world)
        }
    }

    private static func attestor(_ scene: Scene, _ attesters: Attesters) -> RootAttestor {
        RootAttestor(
            store: scene.fixture.store,
            outbound: OutboundClient(policy: .operatorChosen),
            attesters: attesters
        )
    }

    private static func rootKey(_ scene: Scene) throws -> NoteVerifierKey {
        let origin = try #require(NoteKeyName("rollcall.test/v1/audit/root"))
        return try #require(try scene.keys.rootKeys(of: origin).current.first)
    }

    private static func withWitness(
        _ manner: PlayedWitness.Manner,
        _ body: @escaping @Sendable (inout World, PlayedWitness, RootAttestor, Attesters.Witness) async throws -> Void
    ) async throws {
        try await with { world in
            let now = UInt64(Date().timeIntervalSince1970)
            let witness = try PlayedWitness(manner, of: rootKey(world.scene), at: now)
            try await LocalHTTP.with {
                witness.answer($0)
            } _: { url in
                let policy = try LogPolicy(
                    parsing: Array("witness w \(witness.verifier.text) \(url)/prefix/\nquorum w\n".utf8)
                )
                let attesters = Attesters(policy: policy, authorities: [])
                let asked = try #require(attesters.witnesses.first)
                try await body(&world, witness, attestor(world.scene, attesters), asked)
            }
        }
    }

    /// The root checkpoint as it is served, under a policy that asks for the witness.
    private static func served(_ scene: Scene, by witness: PlayedWitness) async throws -> [VerifiedSignature] {
        let head = try #require(try await scene.fixture.store.rootFile(.checkpoint))
        let lines = "log \(try rootKey(scene).text)\nwitness w \(witness.verifier.text)\nquorum w\n"
        return try LogPolicy(parsing: Array(lines.utf8)).verify(SignedCheckpoint(parsing: head))
    }

    @Test func `a witness cosigns each checkpoint once, and its cosignature is served`() async throws {
        try await Self.withWitness(.honest) { world, witness, attestor, asked in
            #expect(try await attestor.cosign(by: asked))
            #expect(try await Self.served(world.scene, by: witness).count == 2)
            #expect(try await !attestor.cosign(by: asked))
            #expect(witness.requests == 1)
            for _ in 0..<3 { try await world.grow() }
            let scene = world.scene
            await #expect(throws: NoteError.self) { try await Self.served(scene, by: witness) }
            #expect(try await attestor.cosign(by: asked))
            #expect(witness.size == 4)
            #expect(try await Self.served(world.scene, by: witness).count == 2)
            // What is anchored is anchored under what was vouched for.
            try await world.grow()
            let store = world.scene.fixture.store
            let attested = try #require(try await store.anchoredCheckpoint(of: world.scene.organization))
            #expect(attested.root.signed.checkpoint.size == 4 && attested.signed.checkpoint.size == 4)
            let latest = try #require(
                try await store.anchoredCheckpoint(of: world.scene.organization, isLatest: true)
            )
            #expect(latest.root.signed.checkpoint.size == 5 && latest.signed.checkpoint.size == 5)
        }
    }

    @Test func `a witness that knows less or more than we thought is answered from there`() async throws {
        try await Self.withWitness(.honest) { world, witness, attestor, asked in
            #expect(try await attestor.cosign(by: asked))
            try await world.grow()
            witness.forget()
            #expect(try await attestor.cosign(by: asked))
            #expect(witness.requests == 3 && witness.size == 2)
            // One that we never knew of: another node of ours has asked it, and died before it kept the answer.
            try await world.grow()
            try await world.scene.tamper([
                "ALTER TABLE root_attestations DISABLE TRIGGER USER", "DELETE FROM root_attestations",
                "ALTER TABLE root_attestations ENABLE TRIGGER USER",
            ])
            #expect(try await attestor.cosign(by: asked))
            #expect(witness.size == 3)
        }
    }

    @Test func `what a witness says that misbehaves is not kept`() async throws {
        let ahead = AttestationFault.ahead(size: 99, ours: 1)
        for (manner, expected) in [
            (.badSignature, nil), (.otherCheckpoint, nil), (.smuggles, nil), (.wrongClock, nil), (.claims(99), ahead),
            (.claims(1), AttestationFault.answer(409)), (.answers(404), .logUnknown), (.answers(403), .keyUnknown),
            (.answers(422), .inconsistent(size: 1)), (.answers(500), .answer(500)), (.answers(409), .answer(409)),
            (.answers(302), .answer(302)),
        ] as [(PlayedWitness.Manner, AttestationFault?)] {
            try await Self.withWitness(manner) { world, witness, attestor, asked in
                do {
                    _ = try await attestor.cosign(by: asked)
                    Issue.record("\(manner) was believed")
                } catch {
                    if let expected { #expect(error as? AttestationFault == expected, "\(manner)") }
                }
                let scene = world.scene
                let kept = try await scene.fixture.number("SELECT count(*) FROM root_attestations")
                #expect(kept == 0)
                await #expect(throws: NoteError.self) { try await Self.served(scene, by: witness) }
                #expect(witness.requests <= 3)
            }
        }
    }

    @Test func `a witness that hangs holds up nobody`() async throws {
        try await Self.withWitness(.hangs) { world, witness, attestor, asked in
            let scene = world.scene
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await scene.sequencer(attestor: attestor).run() }
                try await eventually { witness.requests > 0 }
                try await scene.write(5)
                try await eventually {
                    try await scene.fixture.store.anchoredCheckpoint(of: scene.organization, isLatest: true)?
                        .signed.checkpoint.size == 6
                }
                group.cancelAll()
            }
        }
    }

    @Test func `pauses grow with failures, and not for ever`() {
        let interval = RootAttestor.witnessInterval
        #expect(RootAttestor.pause(after: 0, interval: interval) == interval)
        #expect(RootAttestor.pause(after: 3, interval: interval) == interval * 8)
        #expect(RootAttestor.pause(after: 100, interval: interval) == RootAttestor.longestPause)
        #expect(
            AttestationFault.inconsistent(size: 1).isAlarming && AttestationFault.ahead(size: 2, ours: 1).isAlarming
        )
        #expect(!AttestationFault.logUnknown.isAlarming)
    }

    @Test func `an authority stamps the checkpoint, and another program accepts the stamp`() async throws {
        try await PlayedTimestampAuthority.with { played in
            try await LocalHTTP.with {
                played.answer($0)
            } _: { url in
                try await Self.with { world in
                    let pem = try String(contentsOfFile: played.issuer, encoding: .utf8)
                    let certificates = try TimestampAuthorities(pem: pem)
                    let authority = Attesters.Authority(url: url + "/tsa", certificates: certificates)
                    let attestor = Self.attestor(world.scene, Attesters(policy: nil, authorities: [authority]))
                    #expect(try await attestor.stamp(by: authority))
                    #expect(try await !attestor.stamp(by: authority))
                    let head = try #require(try await world.scene.fixture.store.rootHead())
                    let token = try #require(head.timestamps.first).token
                    let text = head.signed.checkpoint.text
                    try token.verify(of: text, by: certificates)
                    #expect(try played.accepts(token.bytes, of: text))
                    #expect(try !played.accepts(token.bytes, of: text + [0x0A]))
                }
            }
        }
    }

    @Test func `what an authority says that misbehaves is not kept`() async throws {
        try await PlayedTimestampAuthority.with { played in
            let certificates = try TimestampAuthorities(pem: String(contentsOfFile: played.issuer, encoding: .utf8))
            let old = LocalHTTP.Request(
                method: "POST",
                path: "/",
                contentType: nil,
                body: try #require(TimestampRequest(of: [1], randomness: Array(repeating: 1, count: 8))).body
            )
            let stale = try #require(played.answer(old))
            let answers: [LocalHTTP.Answer] = [
                stale, .init(status: 500), .init(body: Array("no".utf8)), .init(body: []),
                .init(body: Array(stale.body.dropLast())),
            ]
            for answer in answers {
                try await LocalHTTP.with { _ in
                    answer
                } _: { url in
                    try await Self.with { world in
                        let authority = Attesters.Authority(url: url, certificates: certificates)
                        let attestor = Self.attestor(world.scene, Attesters(policy: nil, authorities: [authority]))
                        await #expect(throws: (any Error).self) { try await attestor.stamp(by: authority) }
                        let kept = try await world.scene.fixture.number("SELECT count(*) FROM root_attestations")
                        #expect(kept == 0)
                    }
                }
            }
        }
    }
}
