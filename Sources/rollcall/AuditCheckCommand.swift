import App
import ArgumentParser
import AuditLog
import Domain
import Foundation
import Storage
import Transparency

extension AuditCommand {
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the logs in the live database, entry by entry.",
            discussion: """
                For an operator: works on ROLLCALL_DATABASE_DIRECT_URL, as the owner; no server is needed, and none is \
                in the way. Reads every entry and writes nothing. Finds what a copy of the log cannot show: columns \
                that search goes by, what waits for its index, triggers and rights. The root log of all organizations' \
                checkpoints is checked where no organization is named. Ends with 1 if there is a fault.

                Checkpoints are believed by ROLLCALL_CHECKPOINT_KEY, and have to agree with the copies in \
                ROLLCALL_CHECKPOINT_COPIES and with every --checkpoint that was kept elsewhere.

                EXAMPLES
                  rollcall audit check
                  rollcall audit check --organization acme --checkpoint 2026-11-21.checkpoint
                  rollcall audit check -o jsonl >faults.jsonl
                """
        )
        @Option(help: "Slug of one organization; all where there is none.") var organization: String?
        @Option(help: ArgumentHelp("A checkpoint that was kept outside. May be repeated.", valueName: "file"))
        var checkpoint: [String] = []
        @Flag(help: "Say nothing of the progress.") var quiet = false
        @OptionGroup var options: SettingsOptions
        @OptionGroup var output: OutputOptions

        private static let columns = [
            Column("ORGANIZATION", "organization"), Column("FAULT", "fault"), Column("PLACE", "place"),
            Column("FOUND", "found"),
        ]
        /// Entries between two words on the progress.
        private static let entriesPerNote = 100_000

        func validate() throws {
            guard organization.map({ Slug($0) != nil }) ?? true else {
                throw ValidationError("--organization is a slug")
            }
            guard checkpoint.isEmpty || organization != nil else {
                throw ValidationError("--checkpoint is of one log: say --organization too")
            }
        }

        func run() async throws {
            let reader = try await options.reader()
            let settings = try Settings.checkpoints(reader)
            let given = try checkpoint.map { try Self.kept($0) }
            try await options.withOwnersStore { store in
                var rows = try await store.logGuards().missing.map { missing in
                    Self.row(nil, LogFault(.guardOff, missing))
                }
                var count = rows.count
                for (id, slug) in try await wanted(in: store) {
                    let outside = try await copy(of: id, in: settings.map { CheckpointCopies(directory: $0.copies) })
                    var check = LogCheck(of: id, in: store, keys: settings?.keys, kept: given + outside)
                    let report = try await check.run { read, size in
                        if !quiet, read / Self.entriesPerNote > max(0, read - 2048) / Self.entriesPerNote {
                            Output.note("\(slug): \(read) of \(size) entries")
                        }
                    }
                    rows += report.faults.map { Self.row(slug, $0) }
                    count += report.faultCount
                    if !quiet { Output.note(Self.summary(report, slug)) }
                }
                try output.writer.write(rows, columns: Self.columns)
                guard count == 0 else { throw CommandFailure(.failure, "faults: \(count)") }
            }
        }

        /// Logs, and what to call each. With none named, the root log too.
        private func wanted(in store: Store) async throws -> [(OrganizationID, String)] {
            let all = try await store.organizations()
            guard let organization else {
                return all.map { ($0.id, $0.slug.description) } + [(.root, "(root log)")]
            }
            guard let one = all.first(where: { $0.slug.description == organization }) else {
                throw CommandFailure(.notFound, "there is no organization \(organization)")
            }
            return [(one.id, one.slug.description)]
        }

        private func copy(of organization: OrganizationID, in copies: CheckpointCopies?) async throws -> [LogCheck.Kept]
        {
            guard let copies, case .held(let signed) = try await copies.copy(of: organization) else { return [] }
            return [LogCheck.Kept(signed, name: "copy outside")]
        }

        private static func kept(_ file: String) throws -> LogCheck.Kept {
            do {
                let bytes = try Data(contentsOf: URL(filePath: file))
                return LogCheck.Kept(try SignedCheckpoint(parsing: Array(bytes)), name: file)
            } catch let error as CocoaError {
                throw CommandFailure(.usage, "\(file) cannot be read: \(error.localizedDescription)")
            } catch {
                throw CommandFailure(.usage, "\(file) is no checkpoint: \(error)")
            }
        }

        private static func row(_ organization: String?, _ fault: LogFault) -> JSON {
            [
                "organization": .orNull(organization), "fault": .string(fault.kind.rawValue),
                "place": .orNull(fault.place), "found": .string(fault.found),
            ]
        }

        private static func summary(_ report: LogCheckReport, _ slug: String) -> String {
            let keys = report.believesDatabase ? ", by keys that the database itself names" : ""
            let faults = report.faultCount == 0 ? "no fault" : "faults: \(report.faultCount)"
            return "\(slug): \(report.size) entries checked\(keys), \(faults)"
        }
    }
}
