import Domain
import TestSupport
import Testing
import Transparency

/// Noise in headers, bodies and keys is refused, and ends no process.
@Suite struct NoiseTests {
    private static let names = ((try? SigningProfile.embedded()) ?? [:]).keys.sorted()
    private static let alphabet = Array(#"{}[]":;,=. ()aZ09+/-_@?\&%"#.utf8) + [0x00, 0x0A, 0x7F, 0x80, 0xC3, 0xFF]

    private struct Noise {
        let randomness: SeededRandomness

        func number(below bound: Int) -> Int { Int(randomness.words().0 % UInt64(bound)) }

        /// The bytes with some of them replaced, doubled, taken away or repeated many times.
        func over(_ bytes: [UInt8]) -> [UInt8] {
            var noisy = bytes
            for _ in 0...number(below: 4) {
                let place = number(below: noisy.count + 1)
                switch number(below: 4) {
                case 0 where place < noisy.count:
                    noisy[place] = NoiseTests.alphabet[number(below: NoiseTests.alphabet.count)]
                case 1 where place < noisy.count: noisy.remove(at: place)
                case 2: noisy.insert(NoiseTests.alphabet[number(below: NoiseTests.alphabet.count)], at: place)
                default: noisy.insert(contentsOf: noisy[..<min(place, 64)], at: place)
                }
            }
            return noisy
        }
    }

    @Test(arguments: names)
    func `noise in a request is refused or is what was signed`(name: String) async throws {
        let profile = try #require(try SigningProfile.embedded()[name])
        let pair = try #require(ForgedKeys.pairs.first { profile.secretForms.contains($0.form) })
        let keys = [try SigningKey(secret: pair.verifies, forms: [pair.form])]
        let signers = [try SigningKey(secret: pair.signs, forms: [.pem, .jwk, .whsk, pair.form])]
        let at = Timestamp(seconds: 1_795_251_600)
        var request = HookRequest(
            url: "https://rollcall.example/hooks/src_1",
            headers: [("content-type", "application/json")],
            body: Array(#"{"id":"e","token":"t","events":{"urn:x":{}}}"#.utf8)
        )
        let made = try SignatureMaker.sign(profile: profile, id: "m", at: at, request: request, keys: signers)
        request.headers += made.headers
        request.body = made.body
        let noise = Noise(randomness: SeededRandomness(seed: 7))
        for round in 0..<400 {
            var noisy = request
            let place = noise.number(below: noisy.headers.count + 1)
            if place == noisy.headers.count {
                noisy.body = noise.over(noisy.body)
            } else {
                let value = noise.over(Array(noisy.headers[place].value.utf8))
                noisy.headers[place].value = String(decoding: value, as: UTF8.self)
            }
            let verdict = await SignatureVerifier.verify(profile: profile, request: noisy, receivedAt: at, keys: keys)
            _ = try? profile.payload(of: noisy.body, headers: noisy.headers)
            guard case .accepted(let acceptance) = verdict, acceptance.bodyIsProved else { continue }
            let signed = try SignatureVerifier.signedBytes(profile: profile, request: noisy)
            #expect(try SignatureVerifier.signedBytes(profile: profile, request: request) == signed, "round \(round)")
        }
    }

    @Test(arguments: [
        #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        #"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQhrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw","e":"AQAB"}"#,
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----",
    ])
    func `noise in a key is refused or is another key`(secret: String) throws {
        let noise = Noise(randomness: SeededRandomness(seed: 11))
        var refused = 0
        for _ in 0..<400 {
            let noisy = String(decoding: noise.over(Array(secret.utf8)), as: UTF8.self)
            do { _ = try SigningKey(secret: noisy, forms: [.jwk, .pem]) } catch { refused += 1 }
        }
        #expect(refused > 100)
        #expect(throws: Never.self) { try SigningKey(secret: secret, forms: [.jwk, .pem]) }
    }
}
