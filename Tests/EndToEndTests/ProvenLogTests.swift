import Foundation
import Postgres
import TestSupport
import Testing
import Transparency

extension EndToEnd {
    /// From what an integration did to a proof that needs nobody: the server, its command line, and the verifier.
    @Suite struct ProvenLog {
        @Test func `a log that is copied away proves itself, and a change of any file shows`() async throws {
            try await Development.with("log") { development in
                let audit = try #require(development.organization()["audit"])
                let (origin, key) = (audit["origin"]?.string ?? "", audit["vkey"]?.string ?? "")
                let organization = development.organization()["id"]?.string ?? ""
                #expect(origin == development.baseURL.dropFirst("http://".count) + "/v1/audit/log/" + organization)
                for number in 0..<20 {
                    _ = try await Story.join("log-\(number)", userName: "p\(number)@acme.example", development)
                }
                #expect(try await development.settle())
                let entry = try await newestEntry(development)
                let directory = development.home + "-copy"
                defer { try? FileManager.default.removeItem(atPath: directory) }
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)

                let receipt = """
                    rollcall audit prove \(entry) --home \(development.home) >\(directory)/e.tlog-proof \
                    && rollcall audit get \(entry) --leaf --home \(development.home) >\(directory)/e.json \
                    && rollcall-verify entry \(directory)/e.tlog-proof \(directory)/e.json --vkey '\(key)'
                    """
                try await expect(0, receipt)
                try await expect(0, "rollcall audit checkpoint --home \(development.home) >\(directory)/kept")
                for _ in 0..<2 {
                    // The second time the log has grown, by what was read of it the first time.
                    try await expect(
                        0,
                        "rollcall audit export --log \(directory)/log --home \(development.home)"
                            + " && rollcall-verify range \(directory)/log --vkey '\(key)' --since \(directory)/kept"
                    )
                    try await eventually { try await self.unsigned(development) == 0 }
                }
                // A key of somebody else.
                let foreign = try await Program.shell(
                    "rollcall keys checkpoint >\(directory)/key && rollcall keys checkpoint --verifier"
                        + " --file \(directory)/key --origin \(origin)"
                )
                #expect(foreign.status == 0)
                try await expect(14, "rollcall-verify range \(directory)/log --vkey '\(foreign.stdout.dropLast())'")
                // One letter of one entry.
                try await expect(
                    12,
                    "LC_ALL=C sed -i '0,/person.created/s//person.creatde/' $(grep -rl person.created"
                        + " \(directory)/log/tile/entries | sort -V | tail -1) && rollcall-verify range \(directory)/log --vkey '\(key)'"
                )
                try await export(of: "globex", onto: directory + "/log", development)
            }
        }

        @Test func `entries are exported to a file that has its name once it is whole`() async throws {
            try await Development.with("export") { development in
                for number in 0..<5 {
                    _ = try await Story.join("x-\(number)", userName: "=x\(number)@acme.example", development)
                }
                #expect(try await development.settle())
                try await eventually { try await self.unsigned(development) == 0 }
                let directory = development.home + "-exports"
                defer { try? FileManager.default.removeItem(atPath: directory) }
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                let export = "rollcall audit export --home \(development.home)"
                try await expect(0, "\(export) --format ndjson --to 12 --out \(directory)/all.ndjson")
                let whole = "test ! -e \(directory)/all.ndjson.partial"
                try await expect(0, whole + " && test $(stat -c %a \(directory)/all.ndjson) = 600")
                let text = try String(contentsOfFile: directory + "/all.ndjson", encoding: .utf8)
                let lines = try text.split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
                #expect(lines.compactMap { $0["index"]?.int64 } == (0..<12).map(\.self))
                #expect(
                    try lines.allSatisfy { line in
                        let leaf = try #require(try line["entry"]?.canonical())
                        return line["hash"]?.string == MerkleHash.leaf(leaf).base64
                    }
                )
                // It goes on where it ended, and both are the whole.
                try await expect(
                    0,
                    "\(export) --format ndjson --to 5 --out - >\(directory)/a && \(export) --format ndjson --from 5 --to 12"
                        + " --quiet --out \(directory)/b && cat \(directory)/a \(directory)/b | cmp - \(directory)/all.ndjson"
                )
                for format in ["csv", "ocsf", "ecs", "cef", "cloudevents", "cloudevents-batch"] {
                    try await expect(
                        0,
                        "\(export) --format \(format) --out \(directory)/e.\(format) && test -s \(directory)/e.\(format)"
                    )
                }
                // Nothing is left of one that never began, and what was there stays.
                try await expect(1, "\(export) --format ndjson --filter '(' --out \(directory)/all.ndjson")
                try await expect(0, whole + " && test $(wc -l <\(directory)/all.ndjson) = 12")
                try await expect(2, "\(export) --format ndjson")
                try await expect(2, "\(export) --log x --format csv --out y")
                let home = "--home \(development.home)"
                try await expect(0, "rollcall audit tail \(home) --from 3 | head -1 | grep -q '\"index\":3'")
                let query = "rollcall audit query \(home)"
                try await expect(0, query + " --mode range --filter 'text co \"x3@\"' -o jsonl | grep -q x3@")
                try await expect(
                    0,
                    "id=$(rollcall audit saved create Joins --filter 'action eq \"person.created\"' \(home) -o json"
                        + " | grep -o 'qry_[a-z0-9]*')"
                        + " && test $(rollcall audit query --saved $id --all \(home) -o jsonl | wc -l) = 5"
                        + " && rollcall audit saved remove $id \(home)"
                )
            }
        }

        @Test func `files of a log are for its own auditors, and reading them is told`() async throws {
            try await Development.with("logfiles") { development in
                let organization = development.organization()["id"]?.string ?? ""
                let path = "/v1/audit/log/\(organization)/"
                try await eventually { try await development.auditor().get(path + "checkpoint").status == 200 }
                #expect(try await development.auditor("globex").get(path + "checkpoint").status == 404)
                #expect(try await development.bearer(nil).get(path + "checkpoint").status == 401)
                for file in ["tile/0/000.p/999", "tile/0/001", "tile/9/000", "tile/entries/", "..%2Fcheckpoint", ""] {
                    #expect(try await development.auditor().get(path + file).status == 404, "\(file)")
                }
                let told = try await development.number(
                    """
                    SELECT count(*) AS n FROM audit_entries WHERE action = 'audit.read' AND outcome = 'done'
                        AND convert_from(leaf, 'UTF8')::jsonb -> 'after' ->> 'file' = 'checkpoint'
                    """
                )
                #expect(told == 1, "many reads of a minute are one entry")
            }
        }

        @Test func `evidence goes with what vouches for it, and proves itself`() async throws {
            try await Development.with("evidence") { development in
                let key = development.organization()["audit"]?["vkey"]?.string ?? ""
                for number in 0..<5 {
                    _ = try await Story.join("b-\(number)", userName: "b\(number)@acme.example", development)
                }
                #expect(try await development.settle())
                let size = try await development.auditor().get("/v1/audit/log").json["size"]?.int64 ?? 0
                var rootKey = ""
                try await eventually {
                    let anchor = try await development.auditor().get("/v1/audit/anchor").json
                    rootKey = anchor["root_verifier_keys"]?.array?.first?.string ?? ""
                    let lines = (anchor["checkpoint"]?.string ?? "").split(separator: "\n")
                    return lines.count > 2 && Int64(lines[1]) ?? 0 >= size
                }
                #expect(rootKey.contains("/v1/audit/root+"))
                let directory = development.home + "-evidence"
                defer { try? FileManager.default.removeItem(atPath: directory) }
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                let trust = "--vkey '\(key)' --vkey '\(rootKey)'"
                let export = "rollcall audit export --home \(development.home) --as-auditor --quiet"
                try await expect(
                    0,
                    "\(export) --log \(directory)/log"
                        + " && rollcall-verify range \(directory)/log \(trust) --anchor \(directory)/log/anchor"
                )
                try await expect(
                    0,
                    "\(export) --root \(directory)/root && rollcall-verify range \(directory)/root --vkey '\(rootKey)'"
                        + " && ! grep -rq org_ \(directory)/root"
                )
                let bundle = "\(export) --bundle \(directory)/b --filter 'action eq \"person.created\"' --disclose"
                try await expect(0, bundle + " && rollcall-verify bundle \(directory)/b \(trust)")
                try await expect(
                    0,
                    "test $(ls \(directory)/b/entries/*.json | wc -l) = 5 && test -s \(directory)/b/anchor/checkpoint"
                        + " && test $(ls \(directory)/b/entries/*.disclosures | wc -l) = 5"
                )
                try await expect(6, bundle)
                // The key of the other log alone.
                try await expect(15, "rollcall-verify bundle \(directory)/b --vkey '\(rootKey)'")
                try await expect(
                    12,
                    "cd \(directory)/b/entries && set -- *.disclosures && cp $1 x && cp $2 $1 && mv x $2"
                        + " && rollcall-verify bundle \(directory)/b \(trust)"
                )
                try await expect(2, "\(export) --log x --bundle y")
                try await expect(2, "\(export) --log x --disclose")
                // Others see the root log and nothing of this one's.
                let other = try await development.auditor("globex").get("/v1/audit/root/checkpoint")
                #expect(other.status == 200 && other.text.contains("/v1/audit/root\n"))
                #expect(try await development.bearer(nil).get("/v1/audit/root/checkpoint").status == 401)
                #expect(try await development.auditor().get("/v1/audit/root/tile/9/000").status == 404)
            }
        }

        private func newestEntry(_ development: Development) async throws -> String {
            let list = try await development.auditor().get("/v1/audit/entries?limit=1")
            return list.items.first?["id"]?.string ?? ""
        }

        private func unsigned(_ development: Development) async throws -> Int {
            try await development.number(
                """
                SELECT (SELECT count(*) FROM audit_pending)
                    + (SELECT sum(size - coalesce(checkpoint_size, 0)) FROM audit_logs)::bigint AS n
                """
            )
        }

        private func expect(_ status: Int32, _ line: String) async throws {
            let run = try await Program.shell(line)
            #expect(run.status == status, "\(line)\n\(run.stdout)\n\(run.stderr)")
        }

        /// A directory that holds one log is not overwritten by another.
        private func export(of slug: String, onto directory: String, _ development: Development) async throws {
            let home = "--home \(development.home) --organization \(slug)"
            try await expect(6, "rollcall audit export --log \(directory) \(home)")
        }
    }
}
