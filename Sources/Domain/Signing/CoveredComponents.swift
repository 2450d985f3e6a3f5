import RawStructuredFieldValues
import Transparency

/// The parts of a request that a signature by RFC 9421 names as covered, in its order.
struct CoveredComponents {
    private let components: [Component]

    /// Those that cover the whole of what they name. A component with parameters covers a part, and never counts for what
    /// a profile wants covered.
    var names: [String] { components.filter { $0.parameter == nil }.map(\.name) }

    /// No profile asks for more than a handful.
    static let most = 32

    private struct Component: Hashable {
        let name: String
        /// Of `@query-param`: which one, percent-encoded as it is signed.
        let parameter: String?

        /// As RFC 9421 2 writes its identifier.
        var identifier: String { "\"\(name)\"" + (parameter.map { ";name=\"\($0)\"" } ?? "") }
    }

    /// Component parameters choose parts of fields or of the request before, which no sender of events needs, but for the
    /// name of a query parameter (RFC 9421 2.2.8). A component that cannot be rebuilt here makes the whole signature one
    /// that cannot be judged.
    init(_ list: BareInnerList) throws(Verdict.Refusal) {
        var components: [Component] = []
        for item in list {
            guard case .string(let name) = item.rfc9651BareItem else { throw .signatureMalformed }
            let component = Component(name: name, parameter: try Self.parameter(of: item, name))
            guard !components.contains(component) else { throw .signatureMalformed }
            components.append(component)
        }
        guard components.count <= Self.most else { throw .signatureTooMany }
        self.components = components
    }

    private static func parameter(of item: Item, _ name: String) throws(Verdict.Refusal) -> String? {
        guard name == "@query-param" else {
            guard item.rfc9651Parameters.count == 0 else { throw .componentUnsupported }
            return nil
        }
        guard item.rfc9651Parameters.count == 1, case .string(let parameter)? = item.rfc9651Parameters["name"] else {
            throw .componentUnsupported
        }
        return parameter
    }

    /// RFC 9421 2.5: a line for each component, and the parameters.
    func base(of request: HookRequest, parameters: InnerList) throws(Verdict.Refusal) -> [UInt8] {
        var base = ""
        for component in components {
            base += "\(component.identifier): \(try value(of: component, in: request))\n"
        }
        base += "\"@signature-params\": "
        do {
            var serializer = StructuredFieldValueSerializer()
            return Array(base.utf8) + (try serializer.writeListFieldValue([.innerList(parameters)]))
        } catch {
            throw .signatureMalformed
        }
    }

    private func value(of component: Component, in request: HookRequest) throws(Verdict.Refusal) -> String {
        let name = component.name
        guard name.hasPrefix("@") else {
            guard name == name.lowercased() else { throw .signatureMalformed }
            let value = try request.one(name, longest: SignatureHeader.longest, .signed)
            // A line break here would write further lines of the base.
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { throw .signedHeaderMissing }
            return value.trimmingBlanks
        }
        guard let target = RequestTarget(request.url) else { throw .componentUnsupported }
        switch name {
        case "@method": return request.method
        case "@target-uri": return request.url
        case "@authority": return target.authority
        case "@scheme": return target.scheme
        case "@path": return target.path
        case "@query": return target.query
        case "@query-param":
            guard let value = target.queryParameter(component.parameter ?? "") else { throw .componentUnsupported }
            return value
        case "@request-target": return target.path + (target.query == "?" ? "" : target.query)
        default: throw .componentUnsupported
        }
    }
}

/// The parts of an absolute URL as RFC 9421 2.2 writes them.
struct RequestTarget {
    let scheme: String
    /// In lower case, without the scheme's own port.
    let authority: String
    /// At least `/`.
    let path: String
    /// With its question mark, which stands alone where there is no query.
    let query: String

    init?(_ url: String) {
        guard let mark = url.firstIndex(of: ":"), url[mark...].hasPrefix("://") else { return nil }
        scheme = url[..<mark].lowercased()
        let rest = url[url.index(mark, offsetBy: 3)...]
        let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !host.isEmpty else { return nil }
        let ownPort = scheme == "https" ? ":443" : ":80"
        authority = (host.hasSuffix(ownPort) ? host.dropLast(ownPort.count) : host).lowercased()
        let tail = rest[host.endIndex...].prefix { $0 != "#" }
        let path = tail.prefix { $0 != "?" }
        self.path = path.isEmpty ? "/" : String(path)
        query = path.endIndex == tail.endIndex ? "?" : String(tail[path.endIndex...])
    }

    /// The value of a parameter of the query (RFC 9421 2.2.8), name and value percent-encoded. Nil where there is none of
    /// that name, or more than one of any: a form is read strictly.
    func queryParameter(_ name: String) -> String? {
        // What is no form has no parameters.
        guard let fields = try? FormBody.fields(of: Array(query.utf8.dropFirst())) else { return nil }
        return fields.members.first { FormBody.percentEncoded($0.key) == name }
            .flatMap { $0.value.string.map(FormBody.percentEncoded) }
    }
}

extension String {
    /// Without the blanks that may stand around a field's value (RFC 9110 5.5).
    fileprivate var trimmingBlanks: String {
        let head = drop { $0 == " " || $0 == "\t" }
        guard let last = head.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return String(head[...last])
    }
}
