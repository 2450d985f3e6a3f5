import Transparency

/// What a running `rollcall dev` tells about itself in the `dev.json` of its home.
struct DevelopmentHome {
    let baseURL: String
    private let path: String
    private let organizations: [JSON]

    init(_ directory: String) throws(CommandFailure) {
        path = directory + "/dev.json"
        let bytes: [UInt8]
        do throws(CommandFailure) {
            bytes = try TextInput.bytes(from: path)
        } catch {
            throw CommandFailure(.remoteUnavailable, "\(error.message); is `rollcall dev` running there?")
        }
        do throws(JSON.ParseError) {
            let document = try JSON.parse(bytes)
            organizations = document["organizations"]?.array ?? []
            baseURL = document["base_url"]?.string ?? ""
        } catch {
            throw CommandFailure(.failure, "\(path) is not JSON: \(error)")
        }
    }

    func token(organization slug: String?, asAuditor: Bool) throws(CommandFailure) -> String {
        let name = asAuditor ? "auditor_token" : "admin_token"
        guard let token = try organization(slug)[name]?.string else {
            throw CommandFailure(.signInNeeded, "\(path) holds no \(name)")
        }
        return token
    }

    /// Where a source takes deliveries, and what it expects them to be signed with.
    func source(
        _ slug: String?,
        organization: String?
    ) throws(CommandFailure) -> (
        url: String, profile: String?, secret: String
    ) {
        let sources = try self.organization(organization)["sources"]?.array ?? []
        let found = slug.map { slug in sources.first { $0["slug"]?.string == slug } } ?? sources.first
        guard let url = found?["url"]?.string, let secret = found?["secret"]?.string else {
            let known = sources.compactMap { $0["slug"]?.string }.joined(separator: ", ")
            throw CommandFailure(.notFound, "\(path) knows no such source, only: \(known)")
        }
        return (url, found?["profile"]?.string, secret)
    }

    private func organization(_ slug: String?) throws(CommandFailure) -> JSON {
        let found = slug.map { slug in organizations.first { $0["slug"]?.string == slug } } ?? organizations.first
        guard let found else {
            let known = organizations.compactMap { $0["slug"]?.string }.joined(separator: ", ")
            throw CommandFailure(.notFound, "\(path) knows no such organization, only: \(known)")
        }
        return found
    }
}
