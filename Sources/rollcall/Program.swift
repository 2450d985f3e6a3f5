import App
import ArgumentParser
import Foundation
import Postgres
import Storage

/// Where the settings of a command come from.
struct SettingsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Settings file (JSON). Else ROLLCALL_CONFIG.", valueName: "file"))
    var config: String?

    func reader() async throws -> SettingsReader {
        try await Program.run {
            try await SettingsReader(environment: ProcessInfo.processInfo.environment, file: config)
        }
    }
}

/// What commands that are the server themselves share: how their failures are told.
enum Program {
    /// Errors of the rooms below as sentences for an operator, with the number for scripts.
    static func run<Output>(_ body: () async throws -> Output) async throws -> Output {
        do {
            return try await body()
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as SettingsError {
            throw CommandFailure(.usage, error.description)
        } catch let error as PreflightError {
            throw CommandFailure(.failure, error.description)
        } catch let error as DevelopmentError {
            throw CommandFailure(.failure, error.description)
        } catch let error as MigrationError {
            throw CommandFailure(.failure, error.description)
        } catch let error as EmbeddedServerError {
            throw CommandFailure(.failure, "\(error)")
        } catch let refusal as OrganizationRefusal {
            throw CommandFailure(.conflict, refusal.sentence)
        } catch let error as PostgresError {
            throw CommandFailure(error.isTransient ? .remoteUnavailable : .failure, "the database: \(error)")
        }
    }
}

extension OrganizationRefusal {
    fileprivate var sentence: String {
        switch self {
        case .slugTaken: "an organization has that slug"
        case .usernameTaken: "an active user has that user name"
        case .alreadyBootstrapped:
            "the organization has an active security admin, who can make others; --force makes one all the same"
        }
    }
}
