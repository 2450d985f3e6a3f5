/// Every setting, by the name that stands in a file; in the environment it is upper-case behind `ROLLCALL_`, and each
/// may instead name a file that holds it: `ROLLCALL_DATABASE_URL_FILE`.
package enum Setting: String, CaseIterable, Sendable {
    case databaseURL = "database_url"
    case databaseDirectURL = "database_direct_url"
    case databaseStatements = "database_statements"
    case databasePoolSize = "database_pool_size"
    case databaseVolatile = "database_volatile"
    case auditReadURL = "audit_read_url"
    case auditReadPoolSize = "audit_read_pool_size"
    case publicURL = "public_url"
    case bind
    case metricsBind = "metrics_bind"
    case tlsCertificate = "tls_certificate"
    case tlsKey = "tls_key"
    case trustedProxies = "trusted_proxies"
    case proxyHeader = "proxy_header"
    case keyring
    case checkpointKey = "checkpoint_key"
    case checkpointCopies = "checkpoint_copies"
    case deliveryBodyDays = "delivery_body_days"
    case witnessPolicy = "witness_policy"
    case timestampURL = "timestamp_url"
    case timestampCertificates = "timestamp_certificates"
    case proxyCredentials = "proxy_credentials"
    case clientRegistration = "client_registration"
    case clientDocuments = "client_documents"
    case ratePerAddress = "rate_per_address"
    case ratePerClient = "rate_per_client"
    case rateOfFailures = "rate_of_failures"
    case rateOfChecks = "rate_of_checks"
    case roles
    case logLevel = "log_level"

    /// nil: required where it is used, or off.
    package var standard: String? {
        switch self {
        case .databaseStatements: "prepared"
        case .databasePoolSize: "12"
        case .databaseVolatile: "refuse"
        case .auditReadPoolSize: "4"
        case .bind: "127.0.0.1:8080"
        case .metricsBind: "127.0.0.1:9464"
        case .trustedProxies: ""
        case .proxyHeader: "x-forwarded-for"
        case .clientRegistration: "off"
        case .clientDocuments: "off"
        case .ratePerAddress: "20000:40000"
        case .ratePerClient: "20000:40000"
        case .rateOfFailures: "5:100"
        case .rateOfChecks: "50000:50000"
        case .roles: "web,worker,sequencer"
        case .logLevel: "info"
        case .deliveryBodyDays: "90"
        case .checkpointCopies: "/var/lib/rollcall/checkpoints"
        case .databaseURL, .databaseDirectURL, .auditReadURL, .publicURL, .tlsCertificate, .tlsKey, .keyring,
            .checkpointKey, .witnessPolicy, .timestampURL, .timestampCertificates, .proxyCredentials:
            nil
        }
    }

    package var isSecret: Bool {
        switch self {
        case .databaseURL, .databaseDirectURL, .auditReadURL, .keyring, .checkpointKey, .proxyCredentials, .tlsKey: true
        default: false
        }
    }

    package var meaning: String {
        switch self {
        case .databaseURL: "PostgreSQL for requests and workers, as the service role; may lead through a pooler"
        case .databaseDirectURL: "PostgreSQL without a pooler, as the owner: migrations, recovery, ended access"
        case .databaseStatements: "prepared, or unnamed for a pooler in transaction mode"
        case .databasePoolSize: "connections of this process at most"
        case .databaseVolatile: "refuse, or allow a server that may lose acknowledged commits (tests only)"
        case .auditReadURL: "PostgreSQL for searching and exporting the log, perhaps a replica; else database_url"
        case .auditReadPoolSize: "connections for those at most, besides the others"
        case .publicURL: "how outsiders reach this service; the issuer of tokens; no trailing slash"
        case .bind: "host:port of the HTTP server"
        case .metricsBind: "host:port of /metrics, or off"
        case .tlsCertificate: "PEM chain; with tls_key the server speaks TLS itself"
        case .tlsKey: "PEM private key"
        case .trustedProxies: "CIDRs of the proxies in front, separated by commas"
        case .proxyHeader: "x-forwarded-for or forwarded: the one header that those proxies write"
        case .keyring: "keys that seal and digest, a line each: id and base64 of 32 bytes; the first is primary"
        case .checkpointKey: "keys that sign the log, a line each; read by the sequencer, which rests without them"
        case .checkpointCopies: "directory of checkpoints and erasures: for all processes, restored with no database"
        case .deliveryBodyDays: "days after which only the hash of a delivery's body is kept, 1 to 3650"
        case .witnessPolicy: "C2SP tlog-policy text: witnesses with their URLs are asked to cosign the root log"
        case .timestampURL: "where an authority stamps the root log's checkpoints with a time (RFC 3161)"
        case .timestampCertificates: "PEM certificates of that authority, or of who issued them"
        case .proxyCredentials: "who may ask for checks, a line each: name, organization id or *, secret"
        case .clientRegistration: "on: programs may register themselves as apps (RFC 7591); or off"
        case .clientDocuments: "on: apps may be known by the https address of a document; or off"
        case .ratePerAddress: "OAuth requests of one address: so many a second, so many at once; or off"
        case .ratePerClient: "OAuth requests of one client; or off"
        case .rateOfFailures: "wrong secrets from one address; or off"
        case .rateOfChecks: "forward-auth checks of one client, and of one address; or off"
        case .roles: "what this process does: web, worker, sequencer"
        case .logLevel: "trace, debug, info, notice, warning, error or critical"
        }
    }

    package var environmentName: String { "ROLLCALL_" + rawValue.uppercased() }
}
