import CLibpq
import Glibc

/// A connection string, read: which hosts to try with which options.
///
/// libpq would resolve names in the middle of an asynchronous connect, blocking, and ignores `connect_timeout` there;
/// so each host is resolved beforehand on a thread that may block, and each address is tried on its own, within its own
/// deadline.
struct ConnectionTarget: Sendable {
    struct Endpoint: Hashable, Sendable {
        /// The name as written: what a certificate is checked against. A directory for a Unix socket.
        var host: String
        /// Nil for a Unix socket.
        var address: String?
        var port: String
    }

    /// Everything but host, address, port and `target_session_attrs`.
    let options: [String: String]
    let endpoints: [Endpoint]
    /// Values of `target_session_attrs` to go through the hosts with, in this order.
    let sessionAttributes: [String]

    /// True where the string demands encryption, so that nothing about this connection may be sent in clear.
    var demandsEncryption: Bool {
        ["require", "verify-ca", "verify-full"].contains(options["sslmode"] ?? "")
    }

    init(_ connectionString: String) throws(PostgresError) {
        guard !connectionString.utf8.contains(0), var options = Self.parse(connectionString) else {
            throw .invalidConnectionString("it is neither a postgres:// URI nor keyword=value pairs")
        }
        guard options["service"] == nil else {
            throw .invalidConnectionString("a service file is not supported")
        }
        for (keyword, value) in Self.environment where options[keyword] == nil { options[keyword] = value }
        let hosts = Self.list(options.removeValue(forKey: "host"))
        let addresses = Self.list(options.removeValue(forKey: "hostaddr"))
        let ports = Self.list(options.removeValue(forKey: "port"))
        let count = max(hosts.count, addresses.count, 1)
        guard hosts.isEmpty || addresses.isEmpty || hosts.count == addresses.count else {
            throw .invalidConnectionString("host and hostaddr differ in length")
        }
        guard ports.count <= 1 || ports.count == count else {
            throw .invalidConnectionString("host and port differ in length")
        }
        endpoints = (0..<count).map { index in
            let host = index < hosts.count ? hosts[index] : ""
            let address = index < addresses.count && !addresses[index].isEmpty ? addresses[index] : nil
            let port = ports.isEmpty ? "" : ports[ports.count == 1 ? 0 : index]
            return Endpoint(host: host, address: address, port: port.isEmpty ? "5432" : port)
        }
        switch options.removeValue(forKey: "target_session_attrs") ?? "any" {
        case "prefer-standby": sessionAttributes = ["standby", "any"]
        case let attributes: sessionAttributes = [attributes]
        }
        self.options = options
    }

    /// Every address of every host, in order. Names that do not resolve are left out; it throws when none is left.
    func resolved() async throws(PostgresError) -> [Endpoint] {
        var result: [Endpoint] = []
        for endpoint in endpoints {
            if endpoint.host.isEmpty || endpoint.host.hasPrefix("/") || endpoint.host.hasPrefix("@")
                || endpoint.address != nil
            {
                result.append(endpoint)
                continue
            }
            for address in await BlockingThreads.shared.run({ Self.addresses(of: endpoint.host) }) {
                result.append(Endpoint(host: endpoint.host, address: address, port: endpoint.port))
            }
        }
        if result.isEmpty { throw .connectFailed("no host name could be resolved") }
        return result
    }

    private static func list(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// What libpq would take from the environment for the options that are read here and not by libpq.
    private static var environment: [(String, String)] {
        let variables = [
            ("host", "PGHOST"), ("hostaddr", "PGHOSTADDR"), ("port", "PGPORT"), ("sslmode", "PGSSLMODE"),
            ("target_session_attrs", "PGTARGETSESSIONATTRS"),
        ]
        return variables.compactMap { keyword, variable in
            guard let value = unsafe getenv(variable) else { return nil }
            return (keyword, unsafe String(cString: value))
        }
    }

    private static func parse(_ text: String) -> [String: String]? {
        // The message may quote the string, password and all, so it is never shown.
        var message: UnsafeMutablePointer<CChar>?
        let parsed = unsafe PQconninfoParse(text, &message)
        unsafe PQfreemem(message)
        guard let parsed = unsafe parsed else { return nil }
        defer { unsafe PQconninfoFree(parsed) }
        var options: [String: String] = [:]
        var next = unsafe parsed
        while let keyword = unsafe next.pointee.keyword {
            if let value = unsafe next.pointee.val {
                unsafe options[String(cString: keyword)] = String(cString: value)
            }
            unsafe next += 1
        }
        return options
    }

    /// Blocks while it asks the resolver.
    private static func addresses(of host: String) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var result: [String] = []
        var next = unsafe list
        while let entry = unsafe next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let failure = unsafe getnameinfo(
                entry.pointee.ai_addr,
                entry.pointee.ai_addrlen,
                &text,
                socklen_t(text.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            if failure == 0 {
                result.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            unsafe next = entry.pointee.ai_next
        }
        return result
    }
}
