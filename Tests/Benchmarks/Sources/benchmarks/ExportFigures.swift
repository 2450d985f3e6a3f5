import Foundation

/// Entries exported to a file, beside the same leaves copied to a file by the database's own client.
extension Bench {
    private static let exported = 200_000

    func export(into table: inout Table) throws {
        note("exporting \(Self.exported) entries")
        try withRollcall(roles: "web") { system in
            try fill(system)
            for format in ["ndjson", "csv", "ocsf"] {
                var pairs = Pairs()
                for _ in 0..<rounds {
                    pairs.bases.append(try copying(system))
                    pairs.figures.append(try exporting(format, from: system))
                    note("  \(format): \(Int(pairs.figures.last ?? 0)) entries/s")
                }
                let name = "entries exported to a file, \(format)"
                let base = "the same leaves, psql's \\copy"
                // What the formats that read each entry may cost is not settled.
                if format == "ndjson" {
                    table.add(name, pairs, of: base, atLeast: 50_000)
                } else {
                    table.add(name, pairs, of: base, goal: 0)
                }
            }
        }
    }

    /// Entries that differ in what they name, each with its index.
    private func fill(_ system: System) throws {
        _ = try system.query(
            """
            INSERT INTO audit_logs (organization_id, origin, leadership, root, size, created_at)
            VALUES ('\(TypeID.uuid(system.organization) ?? "")', 'bench.example/log', 1, sha256(''), \(Self.exported), now());
            DELETE FROM audit_pending;
            WITH made AS (
                INSERT INTO audit_entries (organization_id, id, recorded_at, leaf, action, outcome)
                SELECT '\(TypeID.uuid(system.organization) ?? "")', gen_random_uuid(), now(), convert_to(
                    '{"action":"person.updated","actor":{"id":"usr_' || md5(n::text) || '","kind":"member"},"after":'
                    || '{"status":"active","_sd":["' || md5(n::text) || md5('x' || n) || '"]},"authority":{"kind":"scope",'
                    || '"id":"people:write"},"before":{},"client_ip":"198.51.100.7","credential":{"digest_prefix":'
                    || '"0a1b2c3d","id":"tok_1"},"id":"ent_' || n || '","occurred_at":null,"on_behalf_of":[],'
                    || '"organization":"\(system.organization)","outcome":"done","person":"per_1","reason":null,'
                    || '"received_at":"2026-11-21T09:00:00Z","recorded_at":"2026-11-21T09:00:00Z","request_id":"req_1",'
                    || '"source_delivery":null,"source_event":null,"target":{"id":"per_1","kind":"person"},'
                    || '"trace_id":null,"user_agent":"bench/1","v":1}', 'UTF8'), 'person.updated', 'done'
                FROM generate_series(1, \(Self.exported)) n
                RETURNING organization_id, id, recorded_at)
            INSERT INTO audit_index (organization_id, leaf_index, entry_id, recorded_at, action, outcome)
            SELECT organization_id, row_number() OVER () - 1, id, recorded_at, 'person.updated', 'done' FROM made;
            ANALYZE audit_index;
            ANALYZE audit_entries
            """
        )
    }

    /// Entries a second.
    private func copying(_ system: System) throws -> Double {
        let file = scratch + "/copied"
        defer { unlink(file) }
        let began = Date()
        let leaves = """
            SELECT convert_from(e.leaf, 'UTF8') FROM audit_index i JOIN audit_entries e \
            ON (e.organization_id, e.id, e.recorded_at) = (i.organization_id, i.entry_id, i.recorded_at) \
            ORDER BY i.leaf_index
            """
        _ = try system.query("\\copy (\(leaves)) TO '\(file)'")
        return Double(Self.exported) / Date().timeIntervalSince(began)
    }

    private func exporting(_ format: String, from system: System) throws -> Double {
        let file = scratch + "/exported"
        defer { unlink(file) }
        let began = Date()
        _ = try ChildProcess.output(
            of: rollcall,
            [
                "audit", "export", "--format", format, "--to", "\(Self.exported)", "--out", file, "--quiet", "--url",
                "http://127.0.0.1:\(system.port)",
            ],
            environment: ["ROLLCALL_TOKEN": system.admin],
            log: scratch + "/export.log"
        )
        let seconds = Date().timeIntervalSince(began)
        let bytes = try Data(contentsOf: URL(filePath: file), options: .alwaysMapped)
        let lines = bytes.count { $0 == UInt8(ascii: "\n") }
        guard lines >= Self.exported else { throw ChildError.unexpected("\(lines) lines in \(file)") }
        return Double(Self.exported) / seconds
    }
}
