package import Domain

/// Something in the live database that is not as the sequencer left it, or not as it was signed.
package struct LogFault: Hashable, Sendable {
    package let kind: Kind
    /// Where: an index, a tile, an entry, a file; nil for the log as a whole.
    package let place: String?
    /// For the operator who reads it: what was found, and what had to be.
    package let found: String

    /// Stable words; scripts go by them.
    package enum Kind: String, CaseIterable, Sendable {
        /// The log's index goes nowhere: the row of the index, or the entry behind it, is gone.
        case entryMissing = "entry_missing"
        /// The leaf is not the one whose hash is in the tree.
        case leafAltered = "leaf_altered"
        /// The leaf is as it was, and a column that search goes by does not say what the leaf says.
        case columnsAltered = "columns_altered"
        /// What a leaf names in place of a side of its change is gone, or is something else.
        case blobAltered = "blob_altered"
        /// A hash inside the tree does not follow from those under it.
        case tileAltered = "tile_altered"
        /// The root of the tree is not the one in the log's row.
        case rootAltered = "root_altered"
        /// A checkpoint is not signed by a key that is believed, or not readable.
        case checkpointUnproved = "checkpoint_unproved"
        /// The tree has another root at the size of a checkpoint.
        case forked
        /// A checkpoint covers more entries than the log has.
        case rolledBack = "rolled_back"
        /// An entry was committed, and nothing leads it into the log; or what leads it there was altered.
        case queueAltered = "queue_altered"
        /// An index behind the end of the log.
        case beyondTheEnd = "beyond_the_end"
        /// A trigger, a right or a policy is not as the migrations left it.
        case guardOff = "guard_off"
    }

    package init(_ kind: Kind, at place: String? = nil, _ found: String) {
        (self.kind, self.place, self.found) = (kind, place, found)
    }
}

/// What a check of one log came to.
package struct LogCheckReport: Sendable {
    package let organization: OrganizationID
    /// nil where the log has no entry yet.
    package let origin: String?
    package let size: Int
    /// In the order in which they were found, at most ``LogCheck/mostFaults``.
    package let faults: [LogFault]
    /// How many there are in all.
    package let faultCount: Int
    /// Whether the keys were given, or the database's own word was taken for them.
    package let believesDatabase: Bool
}
