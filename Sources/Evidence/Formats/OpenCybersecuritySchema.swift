import Transparency

extension FieldValues {
    /// An event of OCSF 1.8.0 with every attribute that its class requires. What the class has no place for stands
    /// under `unmapped`, by the names of ``EntryField``.
    func ocsf(origin: String) throws(ExportError) -> JSON {
        let kind = ActionKind(text("/action") ?? "")
        let eventClass = OCSFClass(kind.shape)
        var event: JSON.Object = [:]
        for (field, value) in all {
            let path = field.ocsf ?? "unmapped." + field.name
            switch field.form {
            case .time where field.ocsf != nil: event.set(path, to: .integer(try milliseconds(value)))
            default: event.set(path, to: value)
            }
        }
        let activity = eventClass.activity(of: kind)
        event["class_uid"] = .integer(eventClass.uid)
        event["category_uid"] = .integer(eventClass.category)
        event["activity_id"] = .integer(activity)
        event["type_uid"] = .integer(eventClass.uid * 100 + activity)
        // With activity 99 this says which; elsewhere it does no harm.
        event["activity_name"] = members["action"]
        let isRefused = text("/outcome") == "refused"
        event["severity_id"] = isRefused ? 2 : 1
        event["status_id"] = isRefused ? 2 : 1
        event.set("metadata.version", to: .string(Self.ocsfVersion))
        event.set("metadata.product", to: ["name": "Rollcall", "vendor_name": "Rollcall"])
        event.set("metadata.log_name", to: .string(origin))
        event["actor"] = ocsfActor
        describe(eventClass, in: &event)
        return .object(event)
    }

    static let ocsfVersion = "1.8.0"

    /// What each class demands besides.
    private func describe(_ eventClass: OCSFClass, in event: inout JSON.Object) {
        switch eventClass {
        case .authentication:
            event["user"] = ocsfUser
            event["service"] = ["name": "Rollcall"]
        case .accountChange:
            event["user"] = ocsfUser
        case .userAccess:
            event["user"] = ocsfUser
            event["privileges"] = .array(privileges)
        case .entityManagement:
            event["entity"] = [
                "uid": members["target"]?["id"] ?? .null, "type": members["target"]?["kind"] ?? .null,
            ]
        case .apiActivity:
            event["api"] = ["operation": members["after"]?["operation"] ?? members["action"] ?? .null]
            event["resources"] = [
                ["uid": members["target"]?["id"] ?? .null, "type": members["target"]?["kind"] ?? .null]
            ]
            // Rollcall's own parts call from nowhere.
            if event["src_endpoint"] == nil { event["src_endpoint"] = ["svc_name": "Rollcall"] }
        }
    }

    private var ocsfActor: JSON {
        let id = members["actor"]?["id"] ?? .null
        if text("/actor/kind") == "system" { return ["app_name": "Rollcall", "app_uid": id] }
        // 1: User, 4: Service.
        var user: JSON.Object = ["uid": id, "type_id": text("/actor/kind") == "integration_user" ? 4 : 1]
        user["credential_uid"] = members["credential"]?["id"]
        return ["user": .object(user)]
    }

    /// Whom it is about: the user or person that is the target, else the person, else who acted.
    private var ocsfUser: JSON {
        switch text("/target/kind") {
        case "user", "person": ["uid": members["target"]?["id"] ?? .null]
        default:
            if let person = text("/person") {
                ["uid": .string(person)]
            } else if text("/actor/kind") != "system" {
                ["uid": members["actor"]?["id"] ?? .null]
            } else {
                ["uid": members["target"]?["id"] ?? .null]
            }
        }
    }

    /// The scopes that were given or taken; where the entry does not say them, the grant or authorization itself.
    private var privileges: [JSON] {
        let scopes = [members["after"], members["before"]].lazy.compactMap { $0?["scopes"]?.array }
            .first { !$0.isEmpty }
        return scopes ?? [members["target"]?["id"] ?? .null]
    }
}

/// The classes of OCSF 1.8.0 that entries are.
private enum OCSFClass: Int {
    case accountChange = 3001
    case authentication = 3002
    case entityManagement = 3004
    case userAccess = 3005
    case apiActivity = 6003

    init(_ shape: ActionKind.Shape) {
        self =
            switch shape {
            case .authentication: .authentication
            case .account: .accountChange
            case .access: .userAccess
            case .entity: .entityManagement
            case .call: .apiActivity
            }
    }

    var uid: Int { rawValue }
    /// 3 Identity & Access Management, 6 Application Activity: the thousands of the class.
    var category: Int { rawValue / 1000 }

    /// 99 (other) where the class has no number for what happened.
    func activity(of kind: ActionKind) -> Int {
        if let activity = kind.ocsfActivity { return activity }
        let numbers: [ActionKind.Change: Int] =
            switch self {
            case .accountChange: [.create: 1, .enable: 2, .disable: 5, .delete: 6]
            case .authentication: [.begin: 1, .end: 2]
            case .entityManagement: [.create: 1, .read: 2, .update: 3, .delete: 4, .enable: 8, .disable: 9]
            case .userAccess: [.create: 1, .enable: 1, .disable: 2, .delete: 2]
            case .apiActivity: [.create: 1, .read: 2, .update: 3, .delete: 4]
            }
        return numbers[kind.change] ?? 99
    }
}
