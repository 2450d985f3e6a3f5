import App
import ArgumentParser
import AuditLog
import Domain
import Logging
import Postgres
import Storage
import Transparency

struct AdminCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: "Bootstrap and recovery, by an operator on the machine itself.",
        discussion: """
            Works on ROLLCALL_DATABASE_DIRECT_URL, as the owner, with the keyring; no server is needed. What it does \
            is in the audit log.
            """,
        subcommands: [Organization.self, Bootstrap.self, PasswordLink.self, ResetSecondFactor.self, Log.self]
    )

    struct Organization: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Organizations.",
            subcommands: [Create.self]
        )

        struct Create: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Make an organization with its first workspace, `main`.",
                discussion: """
                    EXAMPLES
                      rollcall admin organization create --slug acme --name "Acme Ltd"
                    """
            )
            @Option(help: "Short name: lower-case letters, digits and inner hyphens.") var slug: String
            @Option(help: "What people call it.") var name: String
            @OptionGroup var options: SettingsOptions
            @OptionGroup var output: OutputOptions

            func run() async throws {
                guard let slug = Slug(slug) else {
                    throw CommandFailure(.usage, "--slug is lower-case letters, digits and inner hyphens, 1 to 63")
                }
                guard (1...200).contains(name.count) else {
                    throw CommandFailure(.usage, "--name is 1 to 200 characters")
                }
                try await options.withOwnersStore { store in
                    let id = try await store.createOrganization(slug: slug, name: name)
                    try output.writer.write(
                        ["id": .string(id.description), "slug": .string(slug.description), "workspace": "main"],
                        columns: [Column("ID", "id"), Column("SLUG", "slug"), Column("WORKSPACE", "workspace")]
                    )
                }
            }
        }
    }

    struct Log: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The logs of organizations.",
            subcommands: [Adopt.self]
        )

        struct Adopt: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Have a halted log go on as the database has it.",
                discussion: """
                    The copy of the last checkpoint in ROLLCALL_CHECKPOINT_COPIES is replaced by the database's. \
                    Whoever kept a later checkpoint will see that the log was rolled back. Find out first why it \
                    was halted: `rollcall audit log` says it.

                    EXAMPLES
                      rollcall admin log adopt --organization acme
                      rollcall admin log adopt --root
                    """
            )
            @Option(help: "Slug of the organization.") var organization: String?
            @Flag(help: "The root log of all organizations' checkpoints; each organization is told.") var root = false
            @OptionGroup var options: SettingsOptions
            @OptionGroup var output: OutputOptions

            func validate() throws {
                guard root == (organization == nil) else { throw ValidationError("give --organization or --root") }
                guard organization.map({ Slug($0) != nil }) ?? true else {
                    throw ValidationError("--organization is no slug")
                }
            }

            func run() async throws {
                try await options.withOwnersStore { store in
                    let id = try await adopted(in: store)
                    let copies = CheckpointCopies(
                        directory: try Settings.required(.checkpointCopies, in: try await options.reader())
                    )
                    let attribution = Attribution(actor: .system("operator"), receivedAt: store.clock.now())
                    let log = try await adopt(id, in: store, copies, by: attribution)
                    try output.writer.write(
                        [
                            "origin": .string(log.origin), "size": .integer(log.size),
                            "checkpoint_size": .integer(log.signed?.checkpoint.size ?? 0),
                            "was_halted": .string(log.halted ?? ""),
                        ],
                        columns: [Column("ORIGIN", "origin"), Column("SIZE", "size")]
                    )
                }
            }

            private func adopted(in store: Store) async throws -> OrganizationID {
                guard let slug = organization.flatMap({ Slug($0) }) else { return .root }
                guard let id = try await store.organization(slug: slug) else {
                    throw CommandFailure(.notFound, "there is no organization \(slug)")
                }
                return id
            }

            private func adopt(
                _ organization: OrganizationID,
                in store: Store,
                _ copies: CheckpointCopies,
                by attribution: Attribution
            ) async throws -> LogView {
                do {
                    return try await store.adoptLog(of: organization, copies: copies, by: attribution)
                } catch ChangeRefusal.notFound {
                    throw CommandFailure(.notFound, "there is no such log yet")
                } catch ChangeRefusal.conflict(let why) {
                    throw CommandFailure(.conflict, why)
                }
            }
        }
    }

    struct Bootstrap: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a security admin or auditor with a personal token, shown once.",
            discussion: """
                EXAMPLES
                  rollcall admin bootstrap --organization acme --username ops@acme.example
                  rollcall admin bootstrap --organization acme --role auditor \\
                    --username audit@acme.example -o json
                """
        )

        enum BootstrapRole: String, CaseIterable, ExpressibleByArgument {
            case securityAdmin = "security_admin"
            case auditor
        }

        @Option(help: "Slug of the organization.") var organization: String
        @Option(help: "Name of the account.") var username: String
        @Option(help: "security_admin or auditor.") var role: BootstrapRole = .securityAdmin
        @Option(help: ArgumentHelp("Days that the token lives, 1 to 365.", valueName: "days")) var days: Int = 90
        @Flag(help: "Also where an active security admin exists.") var force = false
        @OptionGroup var options: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            guard let slug = Slug(organization) else { throw CommandFailure(.usage, "--organization is no slug") }
            guard (1...365).contains(days) else { throw CommandFailure(.usage, "--days is 1 to 365") }
            guard (1...256).contains(username.count), !username.contains(where: \.isWhitespace) else {
                throw CommandFailure(.usage, "--username is 1 to 256 characters without spaces")
            }
            try await options.withOwnersStore { store in
                guard let id = try await store.organization(slug: slug) else {
                    throw CommandFailure(.notFound, "there is no organization \(slug)")
                }
                let bootstrap = AdminBootstrap(
                    username: username,
                    role: role == .auditor ? .auditor : .securityAdmin,
                    lifetime: .seconds(days * 86_400),
                    force: force,
                    by: Attribution(actor: .system("operator"), receivedAt: store.clock.now()),
                    in: store
                )
                let admitted = try await store.perform(bootstrap, in: id)
                try output.writer.write(
                    [
                        "user": .string(admitted.user.description),
                        "token": .string(admitted.secret.reveal()),
                        "expires_at": .string(admitted.expiresAt.description),
                    ],
                    columns: [Column("USER", "user"), Column("TOKEN", "token"), Column("EXPIRES AT", "expires_at")]
                )
            }
        }
    }
}

extension AdminCommand {
    struct PasswordLink: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "password-link",
            abstract: "Make the link by which a member sets a password, also one who has one.",
            discussion: """
                Where there is a password, every sign-in of the account ends and no secret can be \
                claimed by it for a day.

                EXAMPLES
                  rollcall admin password-link --organization acme --username ops@acme.example
                """
        )

        @Option(help: "Slug of the organization.") var organization: String
        @Option(help: "Name of the account.") var username: String
        @OptionGroup var options: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            guard let slug = Slug(organization) else { throw CommandFailure(.usage, "--organization is no slug") }
            let publicURL = try Settings.required(.publicURL, in: try await options.reader())
            try await options.withOwnersStore { store in
                guard let id = try await store.organization(slug: slug),
                    let account = try await store.read(as: id, { try await $0.account(named: username) })
                else { throw CommandFailure(.notFound, "there is no active member of that name in \(slug)") }
                let attribution = Attribution(actor: .system("operator"), receivedAt: store.clock.now())
                let creation = PasswordLinkCreation(for: account.user, by: .systemOperator, attribution, in: store)
                let link = try await store.perform(creation, in: id)
                try output.writer.write(
                    [
                        "username": .string(link.username),
                        "url": .string(publicURL + "/password/" + link.secret.reveal()),
                        "expires_at": .string(link.expiresAt.description),
                    ],
                    columns: UserCommand.PasswordLink.columns
                )
            }
        }
    }
}

extension AdminCommand {
    struct ResetSecondFactor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-second-factor",
            abstract: "Take away the lost second factor of a member.",
            discussion: """
                Every sign-in of the account ends, and no secret can be claimed by it for a day. For an \
                organization with one security admin; else a second one agrees over the API.

                EXAMPLES
                  rollcall admin reset-second-factor --organization acme \\
                    --username ops@acme.example
                """
        )

        @Option(help: "Slug of the organization.") var organization: String
        @Option(help: "Name of the account.") var username: String
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            guard let slug = Slug(organization) else { throw CommandFailure(.usage, "--organization is no slug") }
            try await options.withOwnersStore { store in
                guard let id = try await store.organization(slug: slug),
                    let account = try await store.read(as: id, { try await $0.account(named: username) })
                else { throw CommandFailure(.notFound, "there is no active member of that name in \(slug)") }
                guard account.hasSecondFactor else {
                    throw CommandFailure(.conflict, "this account has no second factor")
                }
                let attribution = Attribution(actor: .system("operator"), receivedAt: store.clock.now())
                try await store.perform(SecondFactorReset(of: account.user, byOperator: attribution), in: id)
                Output.note("the password alone signs \(username) in, until they add another second factor")
            }
        }
    }
}

extension SettingsOptions {
    /// A store on the owner's connection, for as long as the closure runs.
    func withOwnersStore(_ body: (Store) async throws -> Void) async throws {
        try await Program.run {
            let reader = try await reader()
            let logger = Logger(label: "rollcall")
            let connection = PostgresConnectionConfiguration(
                connectionString: try Settings.required(.databaseDirectURL, in: reader)
            )
            let store = Store(
                pool: PostgresPool(configuration: .init(connection: connection, size: 2), logger: logger),
                keyring: try Settings.keyring(reader),
                clock: SystemClock(),
                randomness: SystemRandomness(),
                logger: logger
            )
            do {
                try await body(store)
            } catch {
                await store.pool.close()
                throw error
            }
            await store.pool.close()
        }
    }
}
