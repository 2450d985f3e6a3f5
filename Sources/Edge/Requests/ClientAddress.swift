package import Domain
package import HTTPTypes

/// Which proxies are believed about whom they speak for (`TRUSTED_PROXIES`), and in which header.
///
/// Exactly one header is read. The other is ignored even from a trusted proxy, because a proxy that sets one usually
/// passes the other through as the client wrote it.
package struct ProxyTrust: Sendable, Hashable {
    /// How proxies name the client.
    package enum Header: String, Sendable, CaseIterable {
        case xForwardedFor = "x-forwarded-for"
        /// RFC 7239.
        case forwarded
    }

    package var proxies: [NetworkRange]
    package var header: Header
    /// As which address a peer without one (a unix socket) counts; nil: its address is unknown. Set together with a
    /// trusted range around it, a proxy on the same machine is trusted over its socket.
    package var socketPeer: IPAddress?

    package init(proxies: [NetworkRange] = [], header: Header = .xForwardedFor, socketPeer: IPAddress? = nil) {
        self.proxies = proxies
        self.header = header
        self.socketPeer = socketPeer
    }

    /// Hops that are looked at, from the right; a longer chain has no known client.
    package static let mostHops = 32

    /// The address that allow-lists are asked about, or nil: unknown, which no allow-list holds.
    ///
    /// It is the peer's, unless the peer is a trusted proxy: then the header is walked from the right, and the first
    /// hop that is no trusted proxy is the client. What stands left of it the client wrote itself. A hop that is not
    /// exactly an address (`unknown`, `_hidden`, a name, a zone id, garbage) makes the client unknown.
    package func client(peer: IPAddress?, fields: HTTPFields) -> IPAddress? {
        guard let peer = peer ?? socketPeer else { return nil }
        guard proxies.contains(Optional(peer)) else { return peer }
        // A trusted proxy that says nothing speaks for itself (its health checks).
        guard fields.contains(.init(header)) else { return peer }
        return client(saidBy: fields)
    }

    /// As above, for fields that a proxy is known to have written; nil also where it said nothing.
    package func client(saidBy fields: HTTPFields) -> IPAddress? {
        let values = fields[values: .init(header)]
        var hops = 0
        var leftmost: IPAddress?
        for value in values.reversed() {
            guard let elements = Self.elements(of: value) else { return nil }
            for element in elements.reversed() {
                hops += 1
                guard hops <= Self.mostHops, let address = address(in: element) else { return nil }
                guard proxies.contains(Optional(address)) else { return address }
                leftmost = address
            }
        }
        // Every hop is one of ours: the outermost of them made the request itself.
        return leftmost
    }

    /// The list elements of a field value, quoted strings kept whole. Nil when a quote is left open or an element is
    /// empty: a hop that cannot be read may not be skipped.
    private static func elements(of value: String) -> [Substring]? {
        pieces(of: Substring(value), at: UInt8(ascii: ","))
    }

    private static func pieces(of text: Substring, at separator: UInt8) -> [Substring]? {
        var pieces: [Substring] = []
        var start = text.startIndex
        var isQuoted = false
        for index in text.utf8.indices {
            let byte = text.utf8[index]
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            // No node that can be an address holds an escape.
            if byte == UInt8(ascii: "\\") { return nil }
            if byte == separator, !isQuoted {
                pieces.append(text[start..<index])
                start = text.utf8.index(after: index)
            }
        }
        guard !isQuoted else { return nil }
        pieces.append(text[start...])
        let trimmed = pieces.map(trim)
        return trimmed.contains(where: \.isEmpty) ? nil : trimmed
    }

    private static func trim(_ text: Substring) -> Substring {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        let front = text.drop(while: isSpace)
        guard let last = front.lastIndex(where: { !isSpace($0) }) else { return "" }
        return front[...last]
    }

    private func address(in element: Substring) -> IPAddress? {
        switch header {
        case .xForwardedFor: Self.address(ofNode: element)
        case .forwarded: Self.address(ofForwarded: element)
        }
    }

    /// The `for` parameter, once, of an RFC 7239 element.
    private static func address(ofForwarded element: Substring) -> IPAddress? {
        guard let pairs = pieces(of: element, at: UInt8(ascii: ";")) else { return nil }
        var node: Substring?
        for pair in pairs {
            guard let equals = pair.firstIndex(of: "=") else { return nil }
            guard pair[..<equals].lowercased() == "for" else { continue }
            guard node == nil else { return nil }
            node = pair[equals...].dropFirst()
        }
        guard let node else { return nil }
        guard node.first == "\"" else {
            // Colons and brackets have to be quoted there (section 4), so a bare node is IPv4.
            return node.contains(":") ? nil : IPAddress(String(node))
        }
        guard node.count >= 2, node.last == "\"" else { return nil }
        let inner = node.dropFirst().dropLast()
        // Section 6: IPv6 stands in brackets, always.
        guard inner.first == "[" || inner.utf8.count(where: { $0 == UInt8(ascii: ":") }) <= 1 else { return nil }
        return address(ofNode: inner)
    }

    /// An address, bare or with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
    /// `[2001:db8::1]:80`.
    private static func address(ofNode node: Substring) -> IPAddress? {
        if node.first == "[" {
            guard let end = node.firstIndex(of: "]") else { return nil }
            let inner = node[..<end].dropFirst()
            let rest = node[end...].dropFirst()
            guard inner.contains(":"), rest.isEmpty || isPort(rest) else { return nil }
            return IPAddress(String(inner))
        }
        guard let colon = node.firstIndex(of: ":"), node.lastIndex(of: ":") == colon else {
            return IPAddress(String(node))
        }
        guard isPort(node[colon...]) else { return nil }
        return IPAddress(String(node[..<colon]))
    }

    /// A colon and the number of a port.
    private static func isPort(_ text: Substring) -> Bool {
        let digits = text.dropFirst()
        guard text.first == ":", (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits)
        else { return false }
        return port <= 65535
    }
}

extension HTTPField.Name {
    fileprivate init(_ header: ProxyTrust.Header) {
        switch header {
        case .xForwardedFor: self = .xForwardedFor
        case .forwarded: self = .forwarded
        }
    }
}
