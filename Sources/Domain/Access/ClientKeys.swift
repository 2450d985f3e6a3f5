import JWTKit
package import Transparency

/// Why a set of keys is not taken, or a set that was fetched not used.
package enum ClientKeysRefusal: Error, Sendable, Hashable {
    /// Not an object with an array `keys`, or a key in it that cannot be read.
    case malformed
    /// A private or symmetric key came along: it is not secret any more.
    case notPublic
    /// No key of a kind that is taken, or too many.
    case unusable
}

extension ClientKeysRefusal: CustomStringConvertible {
    /// For whoever registers them.
    package var description: String {
        switch self {
        case .malformed: "This is no set of keys as RFC 7517 has it."
        case .notPublic: "A key in it is private or symmetric; it is not secret any more."
        case .unusable:
            "1 to \(ClientKeys.most) keys for \(ClientKeys.algorithms.joined(separator: ", ")), RSA of 2048 bits or more."
        }
    }
}

/// The public keys by which a client proves who it is (RFC 7517, RFC 7523), each of one algorithm family.
package struct ClientKeys: Sendable {
    /// The keys that can be used, with the members that are needed and no others, for whoever keeps them.
    package let json: JSON.Object
    private let keys: [Key]

    /// Keys of one set at most: an assertion without a key id is tried by each.
    package static let most = 10
    /// Bytes of a set at most, as text.
    package static let mostBytes = 32 * 1024

    /// Algorithms that assertions may name: no `none`, nothing symmetric, nothing with SHA-1.
    package static let algorithms = ["ES256", "RS256", "PS256", "EdDSA"]

    private struct Key {
        let id: String?
        /// The one that the key names for itself; nil: any of its kind.
        let algorithm: String?
        let material: Material
    }

    private enum Material {
        case ec(ES256PublicKey)
        case rsa(Insecure.RSA.PublicKey)
        case ed(EdDSA.PublicKey)

        var algorithms: [String] {
            switch self {
            case .ec: ["ES256"]
            case .rsa: ["RS256", "PS256"]
            case .ed: ["EdDSA"]
            }
        }
    }

    /// Names of its keys.
    package var names: [String] { keys.compactMap(\.id) }

    /// Refuses a set with a key that is not public, and one without any key that can be used. Keys of other kinds and for
    /// other uses are passed over.
    package init(_ json: JSON.Object) throws(ClientKeysRefusal) {
        guard let members = json["keys"]?.array, JSON.object(json).bytes.count <= Self.mostBytes else {
            throw .malformed
        }
        guard members.count <= Self.most else { throw .unusable }
        var keys: [Key] = []
        var kept: [JSON] = []
        for member in members {
            guard let key = member.object, let kind = key["kty"]?.string else { throw .malformed }
            guard kind != "oct", ["d", "p", "q", "dp", "dq", "qi", "k", "oth"].allSatisfy({ key[$0] == nil }) else {
                throw .notPublic
            }
            guard key["use"]?.string ?? "sig" == "sig" else { continue }
            guard let material = try Self.material(of: key, kind) else { continue }
            guard key["alg"] == nil || key["alg"]?.string != nil else { throw .malformed }
            let algorithm = key["alg"]?.string
            guard algorithm.map(material.algorithms.contains) ?? true else { continue }
            if let name = key["kid"] {
                guard let text = name.string, Self.isPlain(text) else { throw .malformed }
            }
            var plain: JSON.Object = [:]
            for name in Self.members {
                if let text = key[name]?.string, Self.isPlain(text) { plain[name] = .string(text) }
            }
            kept.append(.object(plain))
            keys.append(Key(id: key["kid"]?.string, algorithm: algorithm, material: material))
        }
        guard !keys.isEmpty else { throw .unusable }
        self.keys = keys
        self.json = ["keys": .array(kept)]
    }

    /// What a database takes as text, and a modulus of the largest size fits.
    private static func isPlain(_ text: String) -> Bool {
        (1...2048).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    private static let members = ["kty", "crv", "x", "y", "n", "e", "kid", "alg"]
    private static let rsaBytes = 256...1024

    /// nil for a kind, curve or size that is not taken.
    private static func material(of key: JSON.Object, _ kind: String) throws(ClientKeysRefusal) -> Material? {
        func bytes(_ name: String) throws(ClientKeysRefusal) -> (text: String, count: Int) {
            guard let text = key[name]?.string, let bytes = Base64.url.decode(text) else { throw .malformed }
            return (text, bytes.count)
        }
        do {
            switch (kind, key["crv"]?.string) {
            case ("EC", "P-256"):
                let (x, y) = (try bytes("x"), try bytes("y"))
                return .ec(try ES256PublicKey(parameters: (x: x.text, y: y.text)))
            case ("OKP", "Ed25519"):
                return .ed(try EdDSA.PublicKey(x: try bytes("x").text, curve: .ed25519))
            case ("RSA", nil):
                let (modulus, exponent) = (try bytes("n"), try bytes("e"))
                guard rsaBytes.contains(modulus.count) else { return nil }
                return .rsa(try Insecure.RSA.PublicKey(modulus: modulus.text, exponent: exponent.text))
            default: return nil
            }
        } catch {
            throw .malformed
        }
    }

    /// Whether the compact token is signed by a key of the set. `name` is the key id that the token names: then only keys
    /// of that name are asked. The algorithm has to be one of the key's own.
    func verify(_ token: [UInt8], algorithm: String, name: String?) async -> Bool {
        for key in keys where name == nil || key.id == name {
            guard key.material.algorithms.contains(algorithm), key.algorithm ?? algorithm == algorithm else { continue }
            let collection = JWTKeyCollection()
            switch (key.material, algorithm) {
            case (.ec(let key), _): await collection.add(ecdsa: key)
            case (.ed(let key), _): await collection.add(eddsa: key)
            case (.rsa(let key), "PS256"): await collection.add(pss: key, digestAlgorithm: .sha256)
            case (.rsa(let key), _): await collection.add(rsa: key, digestAlgorithm: .sha256)
            }
            // Whatever the library says, the token is not this key's.
            if (try? await collection.verify(token, as: AssertedClaims.self)) != nil { return true }
        }
        return false
    }
}

/// The claims are read by our own strict reader; the library only says whether the signature holds.
private struct AssertedClaims: JWTPayload {
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
