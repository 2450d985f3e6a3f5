import Domain
import Edge
import Storage
import Transparency

extension Operation {
    static let workspaces: [Operation] = [
        .list(
            "listWorkspaces",
            "/v1/workspaces",
            .scope(.integrationsRead),
            .workspaceRead,
            "Workspaces, oldest first",
            of: .workspace,
            by: WorkspaceID.self
        ) { call, step in
            try await call.read { try await $0.workspaces(after: step.after, most: step.most) }
                .map { ListedItem($0.id, $0.json) }
        },
        .create(
            "createWorkspace",
            "/v1/workspaces",
            .scope(.integrationsWrite),
            .workspaceCreated,
            "Add a workspace",
            body: .newWorkspace,
            answers: .workspace
        ) { call in
            let new: NewWorkspace = try call.decode()
            let name = try Texts.name(new.name, at: "/name")
            return try await call.create(
                WorkspaceCreation(slug: new.slug, name: name, by: call.attribution, in: call.store),
                \.json
            )
        },
        .read(
            "getWorkspace",
            "/v1/workspaces/{id}",
            .scope(.integrationsRead),
            .workspaceRead,
            "One workspace",
            target: .workspace,
            answers: .workspace,
            hasTag: true
        ) { call in
            let workspace = try await call.workspace()
            return .read(workspace.json, version: workspace.version)
        },
        .change(
            "changeWorkspace",
            "/v1/workspaces/{id}",
            .scope(.integrationsWrite),
            .workspaceUpdated,
            "Change slug or name of a workspace",
            target: .workspace,
            body: .workspaceChange,
            answers: .workspace
        ) { call in
            let version = try call.expectedVersion()
            let current = try await call.workspace()
            let wanted: NewWorkspace = try call.patched([
                "slug": .string(current.slug.description), "name": .string(current.name),
            ])
            let update = WorkspaceUpdate(
                of: current.id,
                version: version,
                slug: wanted.slug,
                name: try Texts.name(wanted.name, at: "/name"),
                by: call.attribution
            )
            let changed = try await call.perform(update)
            return .changed(changed.json, version: changed.version)
        },
        .remove(
            "removeWorkspace",
            "/v1/workspaces/{id}",
            .scope(.integrationsWrite),
            .workspaceRemoved,
            "Remove a workspace that nothing is, or ever was, attributed to",
            target: .workspace
        ) { call in
            try await call.perform(WorkspaceRemoval(of: try call.id(), by: call.attribution))
            return .removed
        },
    ]
}

extension APICall {
    /// The workspace that the path names.
    fileprivate func workspace() async throws -> WorkspaceView {
        let id = try id(as: WorkspaceID.self)
        guard let workspace = try await read({ try await $0.workspace(id) }) else { throw EdgeError.notFound }
        return workspace
    }
}

private struct NewWorkspace: Decodable {
    var slug: Slug
    var name: String
}

/// Texts that people write and read.
enum Texts {
    /// Characters of a name at most.
    static let mostNameCharacters = 200

    /// A name: something visible, no control characters.
    static func name(_ text: String, at pointer: String) throws(EdgeError) -> String {
        let isPrintable = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        let isVisible = text.unicodeScalars.contains { !$0.properties.isWhitespace }
        guard isPrintable, isVisible, text.unicodeScalars.count <= mostNameCharacters else {
            throw .invalid([.init(pointer, "This has to be a text of 1 to \(mostNameCharacters) characters.")])
        }
        return text
    }
}

extension WorkspaceView {
    fileprivate var json: JSON.Object {
        [
            "id": .string(id.description), "slug": .string(slug.description), "name": .string(name),
            "created_at": .string(createdAt.description),
        ]
    }
}

extension Schema {
    static let name = Schema.string(length: 1...Texts.mostNameCharacters)

    fileprivate static let workspace = Schema.object([
        ("id", .id("wsp")), ("slug", .slug), ("name", .name), ("created_at", .time),
    ]).named(
        "Workspace",
        example: [
            "id": "wsp_01k9qyc5qje1qsv9svhrqgc8d2", "slug": "finance", "name": "Finance",
            "created_at": "2026-11-21T09:00:00Z",
        ]
    )

    fileprivate static let workspaceChange = Schema.object(optional: [("slug", .slug), ("name", .name)])
        .named("WorkspaceChange", example: ["name": "Finance and tax"])

    fileprivate static let newWorkspace = Schema.object([("slug", .slug), ("name", .name)])
        .named("NewWorkspace", example: ["slug": "finance", "name": "Finance"])
}
