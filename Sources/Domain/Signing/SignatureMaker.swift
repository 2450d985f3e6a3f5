/// Makes what `SignatureVerifier` judges: the headers of a delivery, for `rollcall sign` and `rollcall trigger`.
package enum SignatureMaker {
    /// The headers to send with the body, signed by every key that can sign, in the keys' order. `headers` are those
    /// that the profile signs besides. Refuses an id that the profile's receivers would refuse.
    package static func sign(
        profile: SigningProfile,
        id: String?,
        at instant: Timestamp,
        body: [UInt8],
        method: String = "POST",
        headers: [(name: String, value: String)] = [],
        keys: [SigningKey]
    ) throws(SignatureMakerError) -> [(name: String, value: String)] {
        var made: [(name: String, value: String)] = []
        if let name = profile.idHeader {
            guard let id, id.utf8.count <= SignedMessage.longestValue, SignedMessage.isID(id) else {
                throw .idUnusable
            }
            made.append((name, id))
        }
        var values: [String] = []
        let timestamp = profile.timestamp?.text(instant) ?? ""
        switch profile.timestamp?.place {
        case .header(let name): made.append((name, timestamp))
        case .pair(let name): values.append("\(name)=\(timestamp)")
        case nil: break
        }
        let signed: [UInt8]
        do throws(MessageRefusal) {
            signed = try SignedMessage.signedBytes(
                profile,
                id ?? "",
                timestamp,
                headers: headers,
                body: body,
                method: method
            )
        } catch {
            throw .signedHeaderMissing
        }
        let count = values.count
        for key in keys {
            for scheme in profile.schemes {
                let signature: [UInt8]?
                do { signature = try key.sign(signed, with: scheme.algorithm) } catch { throw .signingFailed }
                guard let signature else { continue }
                values.append(profile.grammar.item(tag: scheme.tag, text: scheme.encode(signature)))
            }
        }
        let isSingle = profile.grammar != .list && profile.grammar != .pairs
        guard values.count > count else { throw .noKeyThatSigns }
        guard !isSingle || values.count == 1 else { throw .tooManyKeys }
        made.append((profile.signatureHeader, values.joined(separator: profile.grammar == .list ? " " : ",")))
        return made
    }
}

extension SigningProfile.Grammar {
    fileprivate func item(tag: String, text: String) -> String {
        switch self {
        case .raw: text
        case .prefixed(let prefix): prefix + text
        case .list: tag + "," + text
        case .pairs: tag + "=" + text
        }
    }
}

/// Why a delivery was not signed.
package enum SignatureMakerError: Error, Hashable, Sendable {
    /// None was given, or receivers would refuse it.
    case idUnusable
    /// A header that the profile signs was not given once.
    case signedHeaderMissing
    /// No key is of a kind that the profile signs with; public keys cannot sign.
    case noKeyThatSigns
    /// The profile's header has room for one signature.
    case tooManyKeys
    /// The library refused; no known input leads here.
    case signingFailed
}
