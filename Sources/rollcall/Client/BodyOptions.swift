import ArgumentParser
import Transparency

/// A JSON body from a file, over which the options of a command are laid.
struct BodyOptions: ParsableArguments {
    @Option(
        name: [.customShort("b"), .long],
        help: ArgumentHelp("JSON body, or - for stdin. Options win over it.", valueName: "file")
    )
    var body: String?

    /// The body with every member that is not nil set over it.
    func object(_ members: [(String, JSON?)]) throws(CommandFailure) -> JSON {
        var object = JSON.Object()
        if let body {
            guard case .object(let read) = try TextInput.json(from: body) else {
                throw CommandFailure(.usage, "\(body == "-" ? "stdin" : body) is not a JSON object")
            }
            object = read
        }
        for (name, value) in members {
            if let value { object[name] = value }
        }
        return .object(object)
    }

    /// The same, refusing to change nothing.
    func change(_ members: [(String, JSON?)]) throws(CommandFailure) -> JSON {
        let change = try object(members)
        guard change.object?.isEmpty == false else { throw CommandFailure(.usage, "nothing to change was given") }
        return change
    }
}

/// What integrations and grants share.
struct AccessOptions: ParsableArguments {
    @Option(
        name: .customLong("scope"),
        help: ArgumentHelp("Scope such as people:read. May be given again.", valueName: "scope")
    )
    var scopes: [String] = []

    @Option(
        name: .customLong("ip"),
        help: ArgumentHelp("Address or range that may call. May be given again.", valueName: "range")
    )
    var ranges: [String] = []

    @Flag(help: "May be called from anywhere.")
    var anyIp = false

    func validate() throws {
        if anyIp, !ranges.isEmpty { throw ValidationError("--any-ip and --ip contradict each other") }
    }

    var scopeMember: JSON? { scopes.isEmpty ? nil : .array(scopes.map { .string($0) }) }

    /// Nil leaves what the body says, or what was.
    var rangeMember: JSON? {
        if anyIp { return .null }
        return ranges.isEmpty ? nil : .array(ranges.map { .string($0) })
    }
}

/// What somebody says who was asked to look again.
struct ConfirmOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The value that came with a request for confirmation.", valueName: "value"))
    var confirm: String?
}

extension JSON {
    /// Nil stays nil, for `BodyOptions`.
    static func text(_ text: String?) -> JSON? { text.map { .string($0) } }
}
