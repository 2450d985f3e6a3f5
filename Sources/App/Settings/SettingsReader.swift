import Configuration
import Foundation
import SystemPackage
import Transparency

/// Settings by layer: flags over environment over file over defaults. Unknown names are errors wherever they stand.
package struct SettingsReader: Sendable {
    /// Where a value came from.
    package enum Origin: Sendable, Hashable, CustomStringConvertible {
        case flag
        case environment(String)
        /// A file named by an environment variable.
        case namedFile(String)
        case file(String)
        case standard
        case unset

        package var description: String {
            switch self {
            case .flag: "flag"
            case .environment(let name): "environment \(name)"
            case .namedFile(let name): "file named by \(name)"
            case .file(let path): "file \(path)"
            case .standard: "default"
            case .unset: "not set"
            }
        }
    }

    private struct Layer: Sendable {
        let origin: @Sendable (Setting) -> Origin
        let provider: any ConfigProvider
    }

    private let layers: [Layer]
    /// All layers at once, the first that has a value decides.
    private let reader: ConfigReader

    /// Variables of the command line's client verbs, which settings do not know.
    private static let clientVariables: Set<String> = [
        "ROLLCALL_URL", "ROLLCALL_TOKEN", "ROLLCALL_TOKEN_FILE", "ROLLCALL_HOME", "ROLLCALL_CONFIG",
        "ROLLCALL_ORGANIZATION",
    ]

    /// `file`: the settings file; nil reads `ROLLCALL_CONFIG`, and without it there is no file.
    package init(
        environment: [String: String],
        file: String? = nil,
        flags: [Setting: String] = [:]
    ) async throws {
        let (direct, named) = try Self.split(environment)
        var layers = [
            Layer(
                origin: { _ in .flag },
                provider: Self.values(Dictionary(uniqueKeysWithValues: flags.map { ($0.environmentName, $1) }))
            ),
            Layer(origin: { .environment($0.environmentName) }, provider: Self.values(direct)),
            Layer(origin: { .namedFile($0.environmentName + "_FILE") }, provider: Self.values(named)),
        ]
        if let path = file ?? environment["ROLLCALL_CONFIG"] {
            try Self.refuseUnknown(inFile: path)
            let provider = try await FileProvider<JSONSnapshot>(filePath: FilePath(path))
            layers.append(Layer(origin: { _ in .file(path) }, provider: provider))
        }
        let standards = Setting.allCases.compactMap { setting in setting.standard.map { (setting.environmentName, $0) }
        }
        layers.append(
            Layer(
                origin: { _ in .standard },
                provider: Self.values(Dictionary(uniqueKeysWithValues: standards))
            )
        )
        self.layers = layers
        reader = ConfigReader(providers: layers.map(\.provider))
    }

    /// The value that counts, nil where there is none.
    package subscript(_ setting: Setting) -> String? {
        reader.string(forKey: ConfigKey([setting.rawValue]))
    }

    /// The highest layer that has it; `unset` where not even a default does.
    package func origin(of setting: Setting) -> Origin {
        let found = layers.first { layer in
            ConfigReader(provider: layer.provider).string(forKey: ConfigKey([setting.rawValue])) != nil
        }
        return found?.origin(setting) ?? .unset
    }

    // MARK: Layers

    /// Values by their names in the environment.
    private static func values(_ values: [String: String]) -> any ConfigProvider {
        EnvironmentVariablesProvider(environmentVariables: values).prefixKeys(with: "rollcall")
    }

    /// What stands in the environment itself, and what stands in the files that it names.
    private static func split(
        _ environment: [String: String]
    ) throws(SettingsError) -> (direct: [String: String], named: [String: String]) {
        let known = Set(Setting.allCases.map(\.environmentName))
        var direct: [String: String] = [:]
        var named: [String: String] = [:]
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("ROLLCALL_") {
            if clientVariables.contains(name) { continue }
            if known.contains(name) {
                direct[name] = value
            } else if name.hasSuffix("_FILE"), known.contains(String(name.dropLast(5))) {
                named[String(name.dropLast(5))] = try content(of: value, named: name)
            } else {
                throw .unknown(name, place: "the environment")
            }
        }
        if let twice = direct.keys.sorted().first(where: { named[$0] != nil }) {
            throw .invalid(twice, "is set, and so is \(twice)_FILE: one of them has to go")
        }
        return (direct, named)
    }

    /// One final newline is not part of it.
    private static func content(of path: String, named name: String) throws(SettingsError) -> String {
        // Missing, forbidden or not UTF-8: the path is what the operator needs.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { throw .unreadable(name, path) }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    private static func refuseUnknown(inFile path: String) throws(SettingsError) {
        // The strict reader also tells of names that stand twice, of which the library would take one.
        guard let bytes = FileManager.default.contents(atPath: path) else { throw .unreadable("ROLLCALL_CONFIG", path) }
        let json: JSON
        do { json = try JSON.parse(Array(bytes)) } catch { throw .invalid(path, "is not JSON: \(error)") }
        guard let object = json.object else { throw .invalid(path, "is not a JSON object") }
        let known = Set(Setting.allCases.map(\.rawValue))
        if let unknown = object.keys.first(where: { !known.contains($0) }) {
            throw .unknown(unknown, place: path)
        }
    }
}

/// Why the settings do not do. Holds no value of a secret one.
package enum SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknown(String, place: String)
    case unreadable(String, String)
    case missing(Setting)
    case invalid(String, String)

    package var description: String {
        switch self {
        case .unknown(let name, let place): "\(place) sets \(name), which is no setting; see `rollcall config show`"
        case .unreadable(let name, let path): "\(name) names \(path), which cannot be read"
        case .missing(let setting):
            "\(setting.environmentName) is not set: \(setting.meaning). Set it, or \(setting.environmentName)_FILE"
        case .invalid(let name, let problem): "\(name) \(problem)"
        }
    }
}
