import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let grantKeys: [Operation] = [
        .act(
            "registerGrantKeys",
            "/v1/grants/{id}/keys",
            .scope(.tokensWrite),
            .grantKeysRegistered,
            "Register public keys in place of a secret (private_key_jwt), by the custodian; secrets and tokens end",
            target: .grant,
            body: .grantKeys,
            isBodyOptional: false,
            answers: .grant
        ) { call in
            let id = try call.id(as: GrantID.self)
            try await call.requireAllOf(id)
            let new = try NewGrantKeys(call.body)
            let registration = GrantKeysRegistration(
                of: id,
                try new.source(),
                custodian: call.caller.user,
                by: call.attribution
            )
            let changed = try await call.perform(registration)
            return .changed(changed.json, version: changed.version)
        },
        .remove(
            "removeGrantKeys",
            "/v1/grants/{id}/keys",
            .scope(keeping),
            .grantKeysRemoved,
            "Take the public keys of a grant away at once, with the tokens that they bought, by its custodian or an admin",
            target: .grant
        ) { call in
            let end = CredentialEnd(of: try call.id(), .keys, custodian: try call.custodian, by: call.attribution)
            _ = try await call.perform(end)
            return .removed
        },
    ]
}

extension APICall {
    /// Refuses a caller who would make themselves a client that may more, or for longer, than they: whoever registers keys
    /// has the whole grant. A signed-in custodian does it in their profile; of tokens only the command line's do.
    fileprivate func requireAllOf(_ grant: GrantID) async throws {
        try requireOwnHand()
        let custodian = caller.user
        let kept = try await read { try await $0.grant(grant, keptBy: custodian) }
        // The change refuses it like one that is not there, with its entry.
        guard let terms = kept?.terms else { return }
        guard caller.app != nil else { throw EdgeError.forbidden(needs: nil) }
        if let missing = terms.scopes.subtracting(caller.scopes).scopes.first {
            throw EdgeError.forbidden(needs: missing)
        }
    }
}

private struct NewGrantKeys {
    private let jwks: JSON?
    private let jwksURL: String?

    /// Read by hand: what stands in a set of keys is the standard's, not ours.
    init(_ body: JSON) throws(EdgeError) {
        guard let object = body.object else { throw .invalid([.init("", "This has to be an object.")]) }
        if let unknown = object.keys.first(where: { !["jwks", "jwks_url"].contains($0) }) {
            throw .invalid([.init("/" + unknown, "This member is not known here.")])
        }
        guard object["jwks_url"]?.isNull ?? true || object["jwks_url"]?.string != nil else {
            throw .invalid([.init("/jwks_url", "This has to be a text.")])
        }
        jwks = object["jwks"]?.isNull == false ? object["jwks"] : nil
        jwksURL = object["jwks_url"]?.string
    }

    func source() throws(EdgeError) -> GrantKeysRegistration.Source {
        switch (jwks, jwksURL) {
        case (let jwks?, nil):
            guard let set = jwks.object else { throw .invalid([.init("/jwks", "This has to be an object.")]) }
            do throws(ClientKeysRefusal) {
                return .keys(try ClientKeys(set))
            } catch {
                throw .invalid([.init("/jwks", error.description)])
            }
        case (nil, let url?):
            guard let source = GrantKeysRegistration.Source(address: url) else {
                throw .invalid([.init("/jwks_url", "An https URL without a fragment.")])
            }
            return source
        default: throw .invalid([.init("", "Either jwks or jwks_url.")])
        }
    }
}

extension GrantSecretView {
    var json: JSON.Object {
        [
            "id": .string(id.description), "made_at": .string(madeAt.description), "made_by": .orNull(madeBy),
            "not_after": .orNull(notAfter), "last_used_at": .orNull(lastUsedAt),
            "last_used_address": .orNull(lastUsedAddress),
        ]
    }
}

extension Schema {
    static let grantSecret = Schema.object([
        ("id", .id("sec")), ("made_at", .time), ("made_by", .id("usr").orNull),
        (
            "not_after",
            .time.orNull.described("Until when it works beside the one that replaced it; null for the current one.")
        ),
        ("last_used_at", .time.orNull.described("To the minute.")), ("last_used_address", .string.orNull),
    ]).named(
        "GrantSecret",
        example: [
            "id": "sec_01k9qyc5qje1qsv9svhrqgc8d6", "made_at": "2026-11-21T10:00:00Z",
            "made_by": "usr_01k9qyc5qje1qsv9svhrqgc8da", "not_after": .null, "last_used_at": .null,
            "last_used_address": .null,
        ]
    )

    private static let jwks = Schema.anyObject.described("RFC 7517, public keys alone.")
    private static let jwksURL = Schema.string(length: 1...2000, matching: "^https://.+$")
        .described("Fetched when it is needed.")

    fileprivate static let grantKeys = Schema.either(
        .object([("jwks", jwks)], optional: [("jwks_url", .null)]),
        or: .object([("jwks_url", jwksURL)], optional: [("jwks", .null)])
    ).named("GrantKeys", example: ["jwks_url": "https://payroll.example/jwks.json"])
}
