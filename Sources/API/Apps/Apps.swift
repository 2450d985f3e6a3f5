import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let apps: [Operation] = [
        .list(
            "listApps",
            "/v1/apps",
            .scope(.integrationsRead),
            .appRead,
            "Apps, oldest first, never their secrets",
            of: .app,
            by: AppID.self
        ) { call, step in
            try await call.read { try await $0.apps(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createApp",
            "/v1/apps",
            .scope(.integrationsWrite),
            .appCreated,
            "Register an app: an OAuth client of many users; its secret is shown in this answer alone",
            body: .newApp,
            answers: .appWithSecret
        ) { call in
            try call.requireSecurityAdmin()
            let new: NewApp = try call.decode()
            let creation = AppCreation(
                try new.members.terms(in: try await call.catalogue(for: new.members.scopes ?? [])),
                isConfidential: new.confidential ?? true,
                by: call.attribution,
                in: call.store
            )
            return try await call.create(creation, showsSecret: new.confidential ?? true, \.json)
        },
        .read(
            "getApp",
            "/v1/apps/{id}",
            .scope(.integrationsRead),
            .appRead,
            "One app, never its secret",
            target: .app,
            answers: .app,
            hasTag: true
        ) { call in
            let app = try await call.app()
            return .read(app.json, version: app.version)
        },
        .change(
            "changeApp",
            "/v1/apps/{id}",
            .scope(.integrationsWrite),
            .appUpdated,
            "Change what an app is, where its codes go, what it may ask for",
            target: .app,
            body: .appChange,
            answers: .app
        ) { call in
            try call.requireSecurityAdmin()
            let version = try call.expectedVersion()
            let current = try await call.app()
            let wanted: AppMembers = try call.patched(current.members)
            let update = AppUpdate(
                of: current.id,
                version: version,
                to: try wanted.terms(in: try await call.catalogue(for: wanted.scopes ?? [])),
                by: call.attribution
            )
            let changed = try await call.perform(update)
            return .changed(changed.json, version: changed.version)
        },
        .act(
            "rotateAppSecret",
            "/v1/apps/{id}/rotate-secret",
            .scope(.integrationsWrite),
            .appSecretRotated,
            "Replace the secret of an app at once; the new one is shown in this answer alone",
            target: .app,
            answers: .appWithSecret
        ) { call in
            try call.requireSecurityAdmin()
            let rotation = AppSecretRotation(of: try call.id(), by: call.attribution, in: call.store)
            return .changed(try await call.perform(rotation).json)
        },
        .act(
            "disableApp",
            "/v1/apps/{id}/disable",
            .scope(.integrationsWrite),
            .appDisabled,
            "Stop an app until it is enabled: none of its tokens is good meanwhile",
            target: .app,
            answers: .app
        ) { call in
            try call.requireSecurityAdmin()
            let change = AppStateChange(of: try call.id(), to: .disabled, by: call.attribution)
            return .changed(try await call.perform(change).json)
        },
        .act(
            "enableApp",
            "/v1/apps/{id}/enable",
            .scope(.integrationsWrite),
            .appEnabled,
            "Let a disabled app go on",
            target: .app,
            answers: .app
        ) { call in
            try call.requireSecurityAdmin()
            let change = AppStateChange(of: try call.id(), to: .active, by: call.attribution)
            return .changed(try await call.perform(change).json)
        },
        .remove(
            "deleteApp",
            "/v1/apps/{id}",
            .scope(.integrationsWrite),
            .appEnded,
            "Delete an app for good, with every approval and token of it",
            target: .app
        ) { call in
            try call.requireSecurityAdmin()
            _ = try await call.perform(AppStateChange(of: try call.id(), to: .ended, by: call.attribution))
            return .removed
        },
    ]
}

extension APICall {
    /// The app that the path names.
    fileprivate func app() async throws -> AppView {
        let id = try id(as: AppID.self)
        guard let app = try await read({ try await $0.app(id) }) else { throw EdgeError.notFound }
        return app
    }
}

/// What an admin says of an app, and may change.
private struct AppMembers: Decodable {
    var name: String
    var description: String?
    var contactEmail: String
    var redirects: [String]
    var scopes: [String]?
    var legacy: Bool?
    var accessTokenSeconds: Int?

    enum CodingKeys: String, CodingKey {
        case name, description, scopes, legacy
        case contactEmail = "contact_email"
        case redirects = "redirect_uris"
        case accessTokenSeconds = "access_token_seconds"
    }

    static let mostDescriptionCharacters = 2000
    static let lifetimes =
        Int(AppTerms.lifetimes.lowerBound.components.seconds)...Int(AppTerms.lifetimes.upperBound.components.seconds)

    func terms(in catalogue: ScopeSet) throws(EdgeError) -> AppTerms {
        guard let contactEmail = ContactEmail(contactEmail) else {
            throw .invalid([.init("/contact_email", "This is no address that mail could be sent to.")])
        }
        let description = description ?? ""
        guard description.unicodeScalars.count <= Self.mostDescriptionCharacters else {
            throw .invalid([.init("/description", "At most \(Self.mostDescriptionCharacters) characters.")])
        }
        let seconds = accessTokenSeconds ?? Int(AppTerms.standardLifetime.components.seconds)
        guard Self.lifetimes.contains(seconds) else {
            throw .invalid([.init("/access_token_seconds", "From a minute to a year.")])
        }
        return AppTerms(
            name: try Texts.name(name, at: "/name"),
            description: description,
            contactEmail: contactEmail,
            redirects: try parsedRedirects(),
            scopes: try scopes.map { names throws(EdgeError) in try AccessMembers.scopes(names, in: catalogue) }
                ?? .all,
            isLegacy: legacy ?? false,
            accessLifetime: .seconds(seconds)
        )
    }

    private func parsedRedirects() throws(EdgeError) -> [RedirectURI] {
        guard (1...AppTerms.mostRedirects).contains(redirects.count) else {
            throw .invalid([.init("/redirect_uris", "1 to \(AppTerms.mostRedirects) addresses.")])
        }
        var parsed: [RedirectURI] = []
        for (place, text) in redirects.enumerated() {
            guard let redirect = RedirectURI(text) else {
                let detail =
                    "An https address in lower case without fragment and user information, http on loopback, "
                    + "or a scheme of the program's own with a dot in it."
                throw .invalid([.init("/redirect_uris/\(place)", detail)])
            }
            if !parsed.contains(redirect) { parsed.append(redirect) }
        }
        return parsed
    }
}

private struct NewApp: Decodable {
    var members: AppMembers
    var confidential: Bool?

    enum CodingKeys: String, CodingKey {
        case confidential
    }

    init(from decoder: any Decoder) throws {
        members = try AppMembers(from: decoder)
        confidential = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(Bool.self, forKey: .confidential)
    }
}

extension AppView {
    /// What a PATCH is laid over.
    fileprivate var members: JSON.Object {
        [
            "name": .string(terms.name), "description": .string(terms.description),
            "contact_email": .string(terms.contactEmail.description),
            "redirect_uris": .array(terms.redirects.map { .string($0.description) }),
            "scopes": AccessMembers.json(terms.scopes), "legacy": .bool(terms.isLegacy),
            "access_token_seconds": .integer(terms.accessLifetime.components.seconds),
        ]
    }

    fileprivate var json: JSON.Object {
        var json: JSON.Object = ["id": .string(id.description), "client_id": .string(clientID)]
        for (name, value) in members.members { json[name] = value }
        json["confidential"] = .bool(isConfidential)
        json["origin"] = .string(origin.rawValue)
        json["status"] = .string(status.rawValue)
        json["created_at"] = .string(createdAt.description)
        json["updated_at"] = .string(updatedAt.description)
        json["ended_at"] = .orNull(endedAt)
        return json
    }
}

extension AppWithSecret {
    fileprivate var json: JSON.Object {
        var json = app.json
        json["client_secret"] = secret.map { .string($0.reveal()) } ?? .null
        return json
    }
}

extension Schema {
    private static let redirects = Schema.array(
        of: .string(length: 1...RedirectURI.mostCharacters),
        atLeast: 1,
        most: AppTerms.mostRedirects
    ).described("Where codes are sent; compared character by character, loopback addresses without their port.")
    private static let description = Schema.string(length: 0...AppMembers.mostDescriptionCharacters)
    private static let seconds = Schema.integer(
        from: AppMembers.lifetimes.lowerBound,
        to: AppMembers.lifetimes.upperBound
    ).described("How long access tokens live.")
    private static let legacy = Schema.boolean.described(
        "An older dialect is understood: no PKCE, comma-separated scopes, client_hash. Confidential apps alone."
    )
    private static let appTerms: [(String, Schema)] = [
        ("name", .name), ("description", description), ("contact_email", .email), ("redirect_uris", redirects),
        ("scopes", .someScopes), ("legacy", legacy), ("access_token_seconds", seconds),
    ]
    private static let appMembers: [(String, Schema)] =
        [
            ("id", .id("app")),
            ("client_id", Schema.string.described("The OAuth client id: the app's id, where an admin registered it.")),
        ]
        + appTerms + [
            ("origin", Schema.word(of: AppOrigin.allCases.map(\.rawValue)).described("Who made it known.")),
            ("confidential", .boolean.described("Whether it has a secret.")),
            ("status", .word(of: AppStatus.allCases.map(\.rawValue))), ("created_at", .time), ("updated_at", .time),
            ("ended_at", .time.orNull),
        ]
    private static let appExample: JSON.Object = [
        "id": "app_01k9qyc5qje1qsv9svhrqgc8d6", "client_id": "app_01k9qyc5qje1qsv9svhrqgc8d6", "name": "Org chart",
        "description": "Draws who works with whom", "contact_email": "charts@example.com",
        "redirect_uris": ["https://charts.example.com/callback"], "scopes": ["people:read.self"], "legacy": false,
        "access_token_seconds": 3600, "confidential": true, "origin": "admin", "status": "active",
        "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z", "ended_at": .null,
    ]

    fileprivate static let app = Schema.object(appMembers).named("App", example: .object(appExample))

    fileprivate static let appWithSecret = Schema.object(
        appMembers + [("client_secret", .string.orNull.described("Shown in this answer alone; null for a public app."))]
    ).named("AppWithSecret", example: .object(appExample.merged(with: ["client_secret": "rcs_…"])))

    fileprivate static let newApp = Schema.object(
        [("name", .name), ("contact_email", .email), ("redirect_uris", redirects)],
        optional: [
            ("description", description.orNull), ("scopes", Schema.someScopes.orNull), ("legacy", legacy.orNull),
            ("access_token_seconds", seconds.orNull), ("confidential", .boolean.orNull),
        ]
    ).named(
        "NewApp",
        example: [
            "name": "Org chart", "contact_email": "charts@example.com",
            "redirect_uris": ["https://charts.example.com/callback"], "scopes": ["people:read.self"],
        ]
    )

    fileprivate static let appChange = Schema.object(
        optional: [
            ("name", .name), ("contact_email", .email), ("redirect_uris", redirects),
            ("description", description.orNull), ("scopes", Schema.someScopes.orNull), ("legacy", legacy.orNull),
            ("access_token_seconds", seconds.orNull),
        ]
    ).named("AppChange", example: ["redirect_uris": ["https://charts.example.com/oauth/callback"]])
}
