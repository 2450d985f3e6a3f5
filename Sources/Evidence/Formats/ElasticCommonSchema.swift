import Transparency

extension FieldValues {
    /// A document of the Elastic Common Schema. What it has no field for stands under `rollcall`.
    func ecs(origin: String) throws(ExportError) -> JSON {
        let action = text("/action") ?? ""
        let kind = ActionKind(action)
        var document: JSON.Object = [:]
        for (field, value) in all {
            // ECS has one effective user; the whole chain stands under our own name.
            if case .mentions = field.form, let first = value.array?.first {
                document.set(field.ecs ?? "rollcall." + field.name, to: first)
                document.set("rollcall." + field.name, to: value)
            } else {
                document.set(field.ecs ?? "rollcall." + field.name, to: value)
            }
        }
        document.set("ecs.version", to: .string(Self.ecsVersion))
        document.set("event.kind", to: "event")
        document.set("event.category", to: .array(kind.ecsCategories.map(JSON.string)))
        document.set("event.type", to: .array(kind.ecsTypes(of: text("/target/kind")).map(JSON.string)))
        document.set("event.outcome", to: text("/outcome") == "refused" ? "failure" : "success")
        document.set("event.dataset", to: "rollcall.audit")
        document.set("event.module", to: "rollcall")
        document.set("log.logger", to: .string(origin))
        return .object(document)
    }

    /// The version whose field names these are.
    static let ecsVersion = "8.17.0"
}

extension ActionKind {
    fileprivate var ecsCategories: [String] {
        switch shape {
        case .authentication: ["authentication"]
        case .account, .access: ["iam"]
        case .entity: ["iam", "configuration"]
        case .call: ["web"]
        }
    }

    /// ECS wants the kind of thing beside what happened to it where an identity changed.
    fileprivate func ecsTypes(of target: String?) -> [String] {
        let happened =
            switch change {
            case .begin: "start"
            case .end: "end"
            case .create: "creation"
            case .read: "access"
            case .update, .enable, .disable, .other: "change"
            case .delete: "deletion"
            }
        switch shape {
        case .account, .access: return ["user", happened]
        case .entity: return [happened]
        case .authentication: return [change == .begin || change == .end ? happened : "info"]
        case .call: return ["access"]
        }
    }
}
