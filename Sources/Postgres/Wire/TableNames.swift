import Synchronization

/// Names of tables by object id, filled by the first result that reads each table, so that a value that does not fit
/// can name its table without asking the server then.
final class TableNames: Sendable {
    private let names = Mutex<[UInt32: String]>([1259: "pg_class"])

    subscript(oid: UInt32) -> String? { names.withLock { $0[oid] } }

    func missing(in results: [ResultHandle]) -> [Int] {
        names.withLock { names in
            var missing: [Int] = []
            var last: UInt32 = 0
            for result in results {
                for column in 0..<result.columnCount {
                    let oid = result.tableOID(column: column)
                    if oid == 0 || oid == last { continue }
                    last = oid
                    if names[oid] == nil, !missing.contains(Int(oid)) { missing.append(Int(oid)) }
                }
            }
            return missing
        }
    }

    func learn(_ found: [(oid: UInt32, name: String)], asked: [Int]) {
        names.withLock { names in
            // An id that the catalogue does not know (dropped meanwhile) must not be asked for again.
            for oid in asked { names[UInt32(truncatingIfNeeded: oid)] = "table \(oid)" }
            for entry in found { names[entry.oid] = entry.name }
        }
    }
}
