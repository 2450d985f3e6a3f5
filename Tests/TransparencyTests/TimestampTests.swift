import Testing
import Transparency

@Suite struct `Time stamps` {
    private static func vector(_ name: String) throws -> [UInt8] { try Vectors.bytes("rfc3161/\(name)") }

    private static func authorities(_ names: String...) throws -> TimestampAuthorities {
        let texts = try names.map { String(decoding: try vector($0), as: UTF8.self) }
        return try TimestampAuthorities(pem: texts.joined())
    }

    @Test(arguments: ["rsa", "ecdsa"])
    func `of another program hold, by the signer's certificate or by who issued it`(name: String) throws {
        let token = try TimestampToken(parsing: try Self.vector("\(name).token"))
        let stamped = try Self.vector("stamped")
        try token.verify(of: stamped, by: Self.authorities("\(name).pem"))
        try token.verify(of: stamped, by: Self.authorities("ca.pem"))
        // Made in 2026.
        #expect((1_767_225_600..<1_798_761_600).contains(token.time))
        #expect(throws: TimestampError.otherImprint) {
            try token.verify(of: stamped + [0], by: Self.authorities("ca.pem"))
        }
        let other = name == "rsa" ? "ecdsa.pem" : "rsa.pem"
        #expect(throws: TimestampError.notTrusted) { try token.verify(of: stamped, by: Self.authorities(other)) }
    }

    @Test func `without certificates hold where the signer's is known, and not by its issuer's alone`() throws {
        let token = try TimestampToken(parsing: try Self.vector("bare.token"))
        let stamped = try Self.vector("stamped")
        try token.verify(of: stamped, by: Self.authorities("ecdsa.pem"))
        #expect(throws: TimestampError.notTrusted) { try token.verify(of: stamped, by: Self.authorities("ca.pem")) }
        #expect(token.nonce == nil)
    }

    @Test func `with any byte changed do not hold, and break nothing`() throws {
        let stamped = try Self.vector("stamped")
        let authorities = try Self.authorities("ca.pem", "ecdsa.pem")
        let sound = try Self.vector("bare.token")
        for place in sound.indices {
            for bit in [0x01, 0x80] as [UInt8] {
                var changed = sound
                changed[place] ^= bit
                guard let token = try? TimestampToken(parsing: changed) else { continue }
                // Attributes and content are under the signature; what is not, says nothing that is believed: the version of
                // a structure, an algorithm that is told twice, by which name the signer is looked up.
                let holds = (try? token.verify(of: stamped, by: authorities)) != nil
                if holds { #expect(token.time == (try TimestampToken(parsing: sound)).time) }
            }
        }
        for length in stride(from: 0, to: sound.count, by: 7) {
            #expect(throws: TimestampError.self) { try TimestampToken(parsing: Array(sound[..<length])) }
        }
    }

    @Test func `are asked for in the form of RFC 3161, and the answer has to answer`() throws {
        let nonce: [UInt8] = [0x41, 2, 3, 4, 5, 6, 7, 8]
        let stamped = try Self.vector("stamped")
        let request = try #require(TimestampRequest(of: stamped, randomness: nonce))
        #expect(request.nonce == nonce)
        #expect(request.body.count == 69 && request.body.suffix(13) == [0x02, 8] + nonce + [1, 1, 0xFF])
        let answer = try Self.vector("ours.tsr")
        let authorities = try Self.authorities("ca.pem")
        let token = try request.token(from: answer, by: authorities)
        #expect(token.nonce == nonce)
        try token.verify(of: stamped, by: authorities)
        let otherNonce = try #require(TimestampRequest(of: stamped, randomness: Array(repeating: 9, count: 8)))
        #expect(throws: TimestampError.otherNonce) { try otherNonce.token(from: answer, by: authorities) }
        let otherBytes = try #require(TimestampRequest(of: [1], randomness: nonce))
        #expect(throws: TimestampError.otherImprint) { try otherBytes.token(from: answer, by: authorities) }
        #expect(throws: TimestampError.notTrusted) { try request.token(from: answer, by: Self.authorities("rsa.pem")) }
        #expect(throws: TimestampError.refused(status: 2)) {
            try request.token(from: Self.vector("refused.tsr"), by: authorities)
        }
        #expect(throws: TimestampError.malformed("answer")) { try request.token(from: [0x30], by: authorities) }
        #expect(TimestampRequest(of: stamped, randomness: [1]) == nil)
        #expect(TimestampRequest(of: stamped, randomness: Array(repeating: 0xFF, count: 8))?.nonce.first == 0x7F)
    }

    @Test func `by another hash, and texts that are no certificates, are refused`() throws {
        #expect(throws: TimestampError.self) { try TimestampToken(parsing: Self.vector("sha512.token")) }
        for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            #expect(throws: TimestampError.malformed("certificates")) { try TimestampAuthorities(pem: text) }
        }
    }
}
