import Transparency

/// Who was erased, as the log's own entries say: behind digests of these people nothing stands any more, and nobody can show
/// what did. No fault.
struct ErasedPeople {
    /// The first of them; of more only the number is told.
    private(set) var ids: [String] = []
    private(set) var count = 0

    static let mostNamed = 1_000

    /// Reads a log that was checked once more. What is no JSON says nothing.
    init(of directory: LogDirectory, size: Int) throws {
        var index = 0
        while let place = BundleCoordinate.at(index: index, size: size) {
            for leaf in try directory.entries(place) { read(leaf) }
            index += 1
        }
    }

    private mutating func read(_ leaf: ArraySlice<UInt8>) {
        // A leaf that cannot be read is proved as it is, and says nothing.
        guard let said = try? JSON.parse(Array(leaf)), said["action"]?.string == "person.erased",
            said["reason"]?.string != "unchanged", let person = said["target"]?["id"]?.string
        else { return }
        count += 1
        if ids.count < Self.mostNamed { ids.append(person) }
    }
}
