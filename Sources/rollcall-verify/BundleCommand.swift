import ArgumentParser
import Crypto
import Evidence
import Foundation
import Transparency

struct BundleCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Check a bundle of evidence: its files, every entry in it, who vouches for the log.",
        discussion: """
            The directory is what `rollcall audit export --bundle` writes. Every file has to be the one that the \
            manifest names, and there may be no other. Every entry is proved against the bundle's checkpoint, and \
            what stands behind its digests has to be what it means. What the bundle says of keys is not believed. \
            That no entry is missing which the question asks for is not shown: `range` over the whole log does.

            EXAMPLES
              rollcall-verify bundle ./evidence --policy policy.txt --tsa tsa.pem
              rollcall-verify bundle ./evidence --vkey "$VKEY" -o json
            """
    )

    @Argument(help: ArgumentHelp("The directory.", valueName: "bundle")) var bundle: String
    @OptionGroup var trust: TrustOptions
    @OptionGroup var form: OutputOptions

    var output: OutputForm { form.output }

    func check() throws -> Report {
        let directory = try BundleDirectory(path: bundle)
        let manifest = directory.manifest
        let trust = try trust.trust(
            endorsements: directory.files(in: BundleFile.endorsements),
            anchor: directory.holds(BundleFile.anchor) ? directory.place(BundleFile.anchor) : nil
        )
        let path = directory.place(BundleFile.checkpoint)
        let signed = try InputFile.checkpoint(path)
        let signatures = try trust.verify(signed, in: path)
        let anchored = try trust.anchored()
        try anchored?.require(signed.checkpoint, in: path)
        let found = signed.checkpoint
        guard (found.origin.text, found.size, found.root) == (manifest.origin, manifest.size, manifest.root) else {
            throw Fault(.altered, BundleManifest.name, "it names another log, size or root than the checkpoint")
        }
        for index in manifest.indexes { try directory.checkEntry(index, in: found) }
        return Report(
            checkpoint: found,
            signatures: signatures + (anchored?.signatures ?? []),
            more: [
                ("entries", .integer(manifest.indexes.count)), ("files", .integer(manifest.files.count)),
                ("asked_for_witnesses", .bool(trust.policy.asksForWitnesses)),
                ("filter", manifest.query.filter.map(JSON.string) ?? .null), ("made_at", .string(manifest.madeAt)),
                ("made_by", .string(manifest.madeBy)), ("manifest_sha256", .string(directory.digest)),
            ] + (anchored?.told ?? [])
        )
    }
}

/// A bundle whose files are those of its manifest.
struct BundleDirectory {
    let path: String
    let manifest: BundleManifest
    /// Base64 of the manifest's SHA-256.
    let digest: String
    private let names: Set<String>

    /// Bytes of the largest file of a bundle.
    private static let largestFile = 64 << 20

    /// Refuses a file that is missing, another one, or not named.
    init(path: String) throws {
        self.path = path
        let place = path + "/" + BundleManifest.name
        let bytes = try InputFile.bytes(place, atMost: BundleManifest.largestBytes)
        guard let manifest = BundleManifest(parsing: bytes) else { throw Fault(.malformed, place, "not a manifest") }
        self.manifest = manifest
        digest = Self.sha256(bytes)
        names = Set(manifest.files.map(\.path))
        for file in manifest.files.sorted(by: { $0.path < $1.path }) {
            let found = try InputFile.bytes(path + "/" + file.path, atMost: Self.largestFile)
            guard found.count == file.bytes, Self.sha256(found) == file.sha256 else {
                throw Fault(.altered, file.path, "it is not the file that the manifest names")
            }
        }
        for index in manifest.indexes {
            for wanted in [BundleFile.leaf(index), BundleFile.receipt(index)] where !names.contains(wanted) {
                throw Fault(.missing, wanted, entry: index, "the manifest does not name it")
            }
        }
        try refuseOthers()
    }

    func place(_ name: String) -> String { path + "/" + name }

    /// Whether there is a directory of that name.
    func holds(_ name: String) -> Bool { names.contains { $0.hasPrefix(name + "/") } }

    /// The files of a directory, in the order of their names.
    func files(in name: String) -> [String] {
        names.filter { $0.hasPrefix(name + "/") }.sorted().map { place($0) }
    }

    /// Refuses an entry that the log does not hold at its index, and what does not belong to it.
    func checkEntry(_ index: Int, in checkpoint: Checkpoint) throws {
        let (leafName, receiptName) = (BundleFile.leaf(index), BundleFile.receipt(index))
        let leaf = try InputFile.bytes(place(leafName), atMost: EntryBundle.longestEntry)
        let written = try InputFile.bytes(place(receiptName), atMost: LogProof.largestBytes)
        let proof: LogProof
        do throws(NoteError) {
            proof = try LogProof(parsing: written)
        } catch {
            throw Fault(error, in: receiptName)
        }
        guard proof.signed.checkpoint == checkpoint else {
            throw Fault(.altered, receiptName, entry: index, "it is a receipt of another checkpoint")
        }
        guard proof.index == index else {
            throw Fault(.altered, receiptName, entry: index, "it is the receipt of entry \(proof.index)")
        }
        do throws(TreeError) {
            try proof.verify(leaf: .leaf(leaf))
        } catch {
            guard case .rootDiffers = error else { throw Fault(error, in: receiptName) }
            throw Fault(
                .altered,
                leafName,
                entry: index,
                "with its receipt it does not lead to the root that was signed"
            )
        }
        try checkReferences(index, leaf)
    }

    private func checkReferences(_ index: Int, _ leaf: [UInt8]) throws {
        guard let references = LeafReferences(leaf: leaf) else {
            throw Fault(.malformed, BundleFile.leaf(index), entry: index, "it is no entry")
        }
        for side in ["before", "after"] {
            let name = BundleFile.side(index, side)
            guard names.contains(name) else { continue }
            let bytes = try InputFile.bytes(place(name), atMost: Self.largestFile)
            guard references.blobs[side] == Self.sha256(bytes) else {
                throw Fault(.altered, name, entry: index, "it is not what the entry names for its side")
            }
        }
        let name = BundleFile.disclosures(index)
        guard names.contains(name) else { return }
        let bytes = try InputFile.bytes(place(name), atMost: Self.largestFile)
        // Whatever is wrong with it, it is no list of disclosures.
        guard let texts = (try? JSON.parse(bytes))?.array?.map(\.string) else {
            throw Fault(.malformed, name, entry: index, "not a list of disclosures")
        }
        for text in texts {
            // Whatever is wrong with it, it is no disclosure.
            guard let text, let disclosure = try? Disclosure(encoded: text) else {
                throw Fault(.malformed, name, entry: index, "not a list of disclosures")
            }
            guard references.disclosures.contains(disclosure.digest) else {
                throw Fault(
                    .altered,
                    name,
                    entry: index,
                    "the entry does not hold the digest of a value for \(disclosure.name)"
                )
            }
        }
    }

    private func refuseOthers() throws {
        let known = names.union([BundleManifest.name])
        let found = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        for name in found.sorted() where !known.contains(name) {
            // What cannot be looked at is no directory either.
            let attributes = try? FileManager.default.attributesOfItem(atPath: place(name))
            guard attributes?[.type] as? FileAttributeType == .typeDirectory else {
                throw Fault(.malformed, name, "the manifest does not name it")
            }
        }
    }

    private static func sha256(_ bytes: [UInt8]) -> String { Base64.standard.encode(Array(SHA256.hash(data: bytes))) }
}
