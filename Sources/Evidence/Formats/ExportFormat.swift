import Transparency

/// How entries are written for others. Raw values stand in commands and addresses and never change.
package enum ExportFormat: String, CaseIterable, Sendable {
    /// `{"index", "hash", "entry"}` a line; `entry` is the leaf byte for byte, so that its hash can be made again.
    case ndjson
    /// RFC 4180 with a heading, safe to open in a spreadsheet; the columns are those of ``EntryField/all``, in order.
    case csv
    /// OCSF 1.8.0, an event a line.
    case ocsf
    /// Elastic Common Schema, a document a line.
    case ecs
    /// Common Event Format, a line each.
    case cef
    /// CloudEvents 1.0 in their JSON format, one a line.
    case cloudevents
    /// The same as one JSON array (CloudEvents JSON batch format).
    case cloudeventsBatch = "cloudevents-batch"

    /// Of the whole export.
    package var mediaType: String {
        switch self {
        case .ndjson, .ocsf, .ecs, .cloudevents: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .cef: "text/plain; charset=utf-8"
        case .cloudeventsBatch: "application/cloudevents-batch+json"
        }
    }
}

/// Writes entries of one log one after the other. What it returned, in order, is the export.
package struct EntryWriter: Sendable {
    package let format: ExportFormat
    /// The log's origin, as its checkpoints say it.
    package let origin: String
    private var isFirst = true

    package init(_ format: ExportFormat, origin: String) {
        self.format = format
        self.origin = origin
    }

    /// What stands in front of the first entry.
    package var head: [UInt8] {
        switch format {
        case .csv: Array((EntryField.all.map(\.name).joined(separator: ",") + "\r\n").utf8)
        case .cloudeventsBatch: Array("[".utf8)
        default: []
        }
    }

    /// What stands behind the last entry.
    package var tail: [UInt8] {
        format == .cloudeventsBatch ? Array("\n]\n".utf8) : []
    }

    /// One entry, line end included.
    package mutating func write(_ entry: LoggedEntry) throws(ExportError) -> [UInt8] {
        defer { isFirst = false }
        switch format {
        case .ndjson:
            return Array("{\"index\":\(entry.index),\"hash\":\"\(entry.hash)\",\"entry\":".utf8) + entry.leaf
                + Array("}\n".utf8)
        case .csv: return Array((try FieldValues(entry).csv).utf8)
        case .ocsf: return try FieldValues(entry).ocsf(origin: origin).bytes + [0x0A]
        case .ecs: return try FieldValues(entry).ecs(origin: origin).bytes + [0x0A]
        case .cef: return Array((try FieldValues(entry).cef + "\n").utf8)
        case .cloudevents: return try FieldValues(entry).cloudEvent(origin: origin).bytes + [0x0A]
        case .cloudeventsBatch:
            return Array((isFirst ? "\n" : ",\n").utf8) + (try FieldValues(entry).cloudEvent(origin: origin).bytes)
        }
    }
}
