package import AuditLog
package import Domain
package import Edge
import Foundation
package import Hummingbird
package import Logging
package import Postgres

/// The settings of `rollcall serve`, read once (``Setting`` lists them with their defaults).
package struct Settings: Sendable {
    package var database: PostgresPoolConfiguration
    package var databaseDirectURL: String
    /// For searches and exports of the log, so that no auditor waits for requests, and no request for an auditor.
    package var auditReads: PostgresPoolConfiguration
    /// Whether a database that may lose acknowledged commits is served all the same.
    package var allowsVolatileDatabase: Bool
    package var publicURL: String
    package var bind: BindAddress
    package var metricsBind: BindAddress?
    /// PEM texts.
    package var tls: (certificate: String, key: String)?
    package var proxies: ProxyTrust
    package var keyring: Keyring
    /// nil: this process sequences and signs nothing.
    package var checkpoints: (keys: CheckpointKeys, copies: String)?
    /// Where the copies of checkpoints are, and who was erased.
    package var erasureDirectory: String
    /// How long what a delivery said is kept.
    package var deliveryBodyLifetime: Duration
    /// Who is asked to vouch for the root log; nobody where none are set.
    package var attesters: Attesters
    /// Nobody where none are set.
    package var proxyCredentials: ProxyCredentials
    /// Whether programs may register themselves (RFC 7591).
    package var allowsRegistration: Bool
    /// Whether apps may be known by a document.
    package var allowsClientDocuments: Bool
    package var rates: CallerLimits.Rates
    package var roles: Set<ProcessRole>
    package var logLevel: Logger.Level

    /// What a process does.
    package enum ProcessRole: String, CaseIterable, Sendable {
        case web
        case worker
        case sequencer
    }

    /// Refuses a missing or unusable value with the name of its setting; a secret's value stands in no error.
    package init(_ reader: SettingsReader) throws {
        database = try Self.database(reader)
        auditReads = try Self.auditReads(reader)
        databaseDirectURL = try Self.required(.databaseDirectURL, in: reader)
        allowsVolatileDatabase = try Self.word(.databaseVolatile, ["refuse": false, "allow": true], in: reader)
        publicURL = try Self.publicURL(reader)
        bind = try Self.address(.bind, in: reader)
        metricsBind = reader[.metricsBind] == "off" ? nil : try Self.address(.metricsBind, in: reader)
        tls = try Self.tls(reader)
        proxies = try Self.proxies(reader)
        keyring = try Self.keyring(reader)
        proxyCredentials = try Self.proxyCredentials(reader)
        erasureDirectory = try Self.required(.checkpointCopies, in: reader)
        guard let days = reader[.deliveryBodyDays].flatMap({ Int($0) }), (1...3650).contains(days) else {
            throw SettingsError.invalid(Setting.deliveryBodyDays.environmentName, "is not a number from 1 to 3650")
        }
        deliveryBodyLifetime = .seconds(days * 86_400)
        allowsRegistration = try Self.word(.clientRegistration, ["on": true, "off": false], in: reader)
        allowsClientDocuments = try Self.word(.clientDocuments, ["on": true, "off": false], in: reader)
        rates = try Self.rates(reader)
        let names = Self.list(reader[.roles])
        roles = Set(try names.map { try Self.role($0) })
        if roles.isEmpty { throw SettingsError.invalid(Setting.roles.environmentName, "names no role") }
        logLevel = try Self.logLevel(reader)
        checkpoints = roles.contains(.sequencer) ? try Self.checkpoints(reader) : nil
        attesters = try Self.attesters(reader)
    }

    /// What the log is signed with, and where copies of its checkpoints are; nil where no key is set.
    package static func checkpoints(_ reader: SettingsReader) throws -> (keys: CheckpointKeys, copies: String)? {
        guard let text = reader[.checkpointKey], !text.isEmpty else { return nil }
        do {
            return (try CheckpointKeys(parsing: text), try required(.checkpointCopies, in: reader))
        } catch let error as CheckpointKeyError {
            throw SettingsError.invalid(Setting.checkpointKey.environmentName, "cannot be used: \(error)")
        }
    }

    /// The keyring alone, for commands that need nothing else. Refuses a missing one and one that cannot be used.
    package static func keyring(_ reader: SettingsReader) throws -> Keyring {
        let text = try required(.keyring, in: reader)
        do {
            return try Keyring(parsing: text)
        } catch {
            throw SettingsError.invalid(Setting.keyring.environmentName, "cannot be used: \(error)")
        }
    }

    /// The pool's part alone, for commands that need only the database. Refuses a size outside 2 to 500 connections.
    package static func database(_ reader: SettingsReader) throws -> PostgresPoolConfiguration {
        let modes: [String: StatementMode] = ["prepared": .prepared, "unnamed": .unnamed]
        let connection = PostgresConnectionConfiguration(
            connectionString: try required(.databaseURL, in: reader),
            statementMode: try word(.databaseStatements, modes, in: reader)
        )
        guard let size = reader[.databasePoolSize].flatMap({ Int($0) }), (2...500).contains(size) else {
            throw SettingsError.invalid(Setting.databasePoolSize.environmentName, "is not a number from 2 to 500")
        }
        return PostgresPoolConfiguration(connection: connection, size: size)
    }

    private static func auditReads(_ reader: SettingsReader) throws -> PostgresPoolConfiguration {
        var connection = try database(reader).connection
        if let url = reader[.auditReadURL], !url.isEmpty { connection.connectionString = url }
        guard let size = reader[.auditReadPoolSize].flatMap({ Int($0) }), (1...100).contains(size) else {
            throw SettingsError.invalid(Setting.auditReadPoolSize.environmentName, "is not a number from 1 to 100")
        }
        return PostgresPoolConfiguration(connection: connection, size: size, minimum: 0)
    }

    /// Refuses a setting that is missing or empty.
    package static func required(_ setting: Setting, in reader: SettingsReader) throws(SettingsError) -> String {
        guard let value = reader[setting], !value.isEmpty else { throw .missing(setting) }
        return value
    }

    /// Refuses a word that is no level.
    package static func logLevel(_ reader: SettingsReader) throws(SettingsError) -> Logger.Level {
        let levels = Dictionary(uniqueKeysWithValues: Logger.Level.allCases.map { ($0.rawValue, $0) })
        return try word(.logLevel, levels, in: reader)
    }

    private static func word<Value>(
        _ setting: Setting,
        _ words: [String: Value],
        in reader: SettingsReader
    ) throws(SettingsError) -> Value {
        guard let value = reader[setting].flatMap({ words[$0] }) else {
            throw .invalid(setting.environmentName, "is none of \(words.keys.sorted().joined(separator: ", "))")
        }
        return value
    }

    private static func role(_ name: String) throws(SettingsError) -> ProcessRole {
        guard let role = ProcessRole(rawValue: name) else {
            let known = ProcessRole.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid(Setting.roles.environmentName, "names \(name), which is none of \(known)")
        }
        return role
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }).map { String($0) }
    }

    private static func publicURL(_ reader: SettingsReader) throws -> String {
        let text = try required(.publicURL, in: reader)
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host() != nil,
            url.query() == nil, url.fragment() == nil, url.user() == nil, !text.hasSuffix("/")
        else {
            throw SettingsError.invalid(
                Setting.publicURL.environmentName,
                "is not an http or https address without query, fragment and trailing slash"
            )
        }
        return text
    }

    private static func address(_ setting: Setting, in reader: SettingsReader) throws -> BindAddress {
        let text = try required(setting, in: reader)
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw SettingsError.invalid(setting.environmentName, "is not host:port")
        }
        let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        return .hostname(host.isEmpty ? "0.0.0.0" : String(host), port: Int(port))
    }

    private static func tls(_ reader: SettingsReader) throws(SettingsError) -> (certificate: String, key: String)? {
        switch (reader[.tlsCertificate], reader[.tlsKey]) {
        case (let certificate?, let key?): return (certificate, key)
        case (nil, nil): return nil
        case (nil, _): throw .missing(.tlsCertificate)
        case (_, nil): throw .missing(.tlsKey)
        }
    }

    private static func proxies(_ reader: SettingsReader) throws -> ProxyTrust {
        let ranges = try list(reader[.trustedProxies]).map { text in
            do {
                return try NetworkRange(text)
            } catch {
                throw SettingsError.invalid(Setting.trustedProxies.environmentName, "holds \(text): \(error)")
            }
        }
        let headers = Dictionary(uniqueKeysWithValues: ProxyTrust.Header.allCases.map { ($0.rawValue, $0) })
        return ProxyTrust(proxies: ranges, header: try word(.proxyHeader, headers, in: reader))
    }
}
