// Evidence: what auditors and their systems are handed of the log.
//
// Owns: one entry in the formats of the systems that collect entries (`ExportFormat`, `EntryWriter`), the one table of
// an entry's fields from which every format takes its names (`EntryField`), and text that is safe in a spreadsheet
// (`SpreadsheetText`); the shape of a bundle of evidence (`BundleManifest`). Pure: a leaf's bytes in, bytes out; no clock, no files, no network, so that server and offline
// verifier can share it.
//
// Lives elsewhere: what a leaf says (Domain), its hash and its proof (Transparency), reading rows (Storage), sending
// them (API, rollcall).

package import Transparency

/// An entry of a log at its place: the bytes that were hashed, and their index.
package struct LoggedEntry: Sendable {
    /// Place in the log, from 0.
    package let index: Int
    /// RFC 8785 JSON, exactly as hashed.
    package let leaf: [UInt8]
    private let parsed: JSON.Object?

    /// `members` where the caller has read the leaf already.
    package init(index: Int, leaf: [UInt8], members: JSON.Object? = nil) {
        self.index = index
        self.leaf = leaf
        parsed = members
    }

    /// The leaf as an object; refuses bytes that are none.
    package func members() throws(ExportError) -> JSON.Object {
        if let parsed { return parsed }
        do {
            if let members = try JSON.parse(leaf).object { return members }
        } catch {
            throw .leafUnreadable(index: index)
        }
        throw .leafUnreadable(index: index)
    }

    /// The leaf's hash in the log's tree (RFC 6962), base64.
    package var hash: String { MerkleHash.leaf(leaf).base64 }
}

/// Why an entry cannot be written.
package enum ExportError: Error, Hashable, Sendable {
    /// The bytes are no JSON object, or a time in them is none: nothing that Rollcall wrote.
    case leafUnreadable(index: Int)
}
