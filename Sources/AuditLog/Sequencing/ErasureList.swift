package import Domain
import Foundation
import Glibc
import NIOPosix
package import Storage
import SystemPackage

/// Who was erased, outside the database, beside the copies of the last checkpoints: for each person of an organization an
/// empty file of their id. A database that is restored does not know of erasures that came after it was saved; this list
/// does. Ids tell nothing of anybody.
///
/// Every process that serves has to reach it, not the sequencers alone.
package struct ErasureList: Sendable {
    private let directory: FilePath

    private static let folder = "erased"

    /// nil where there is no such directory: one that is not mounted is not made up.
    package init?(directory: String) {
        do {
            try FileDescriptor.open(FilePath(directory), .readOnly, options: [.directory]).close()
        } catch {
            return nil
        }
        self.directory = FilePath(directory)
    }

    /// As those use it who erase.
    package var register: ErasureRegister {
        ErasureRegister(note: { try await note($1, of: $0) }, listed: { try await listed() })
    }

    /// Returns once the person is on the list, whatever is killed when.
    package func note(_ person: PersonID, of organization: OrganizationID) async throws {
        try await NIOThreadPool.singleton.runIfActive {
            let home = directory.appending(organization.description)
            let place = home.appending(Self.folder)
            try FileManager.default.createDirectory(
                atPath: place.string,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            let file = try FileDescriptor.open(
                place.appending(person.description),
                .writeOnly,
                options: [.create, .closeOnExec],
                permissions: .ownerReadWrite
            )
            try file.closeAfter { try Self.flush(file) }
            for folder in [place, home, directory] {
                let open = try FileDescriptor.open(folder, .readOnly, options: [.directory])
                try open.closeAfter { try Self.flush(open) }
            }
        }
    }

    /// Everybody on it. Names that are no ids are somebody else's.
    package func listed() async throws -> [OrganizationID: [PersonID]] {
        try await NIOThreadPool.singleton.runIfActive {
            var listed: [OrganizationID: [PersonID]] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: directory.string) {
                guard let organization = OrganizationID(name) else { continue }
                let place = directory.appending(name).appending(Self.folder).string
                guard FileManager.default.fileExists(atPath: place) else { continue }
                listed[organization] = try FileManager.default.contentsOfDirectory(atPath: place).sorted()
                    .compactMap { PersonID($0) }
            }
            return listed
        }
    }

    private static func flush(_ file: FileDescriptor) throws {
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
}
