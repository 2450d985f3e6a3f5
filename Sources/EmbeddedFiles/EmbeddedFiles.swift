// EmbeddedFiles: a build plugin. The package manager embeds a folder's files one by one, each under a name of its own, and
// has no list of them. This writes that list for Domain, `EmbeddedFiles.profiles` and `.mappings`, so that a sender is
// added by its files alone and its name stands in no Swift file.

import Foundation
import PackagePlugin

/// Writes the lists of Profiles/ and Mappings/.
@main
struct EmbeddedFiles: BuildToolPlugin {
    private static let folders = ["Profiles", "Mappings"]

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedFiles+lists.swift")
        var text = "/// The data files that the program carries, by file name.\nenum EmbeddedFiles {\n"
        var inputs: [URL] = []
        for folder in Self.folders {
            let directory = target.directoryURL.appending(path: folder)
            let names = try FileManager.default.contentsOfDirectory(atPath: directory.path()).sorted()
                .filter { $0.hasSuffix(".yaml") }
            inputs += names.map { directory.appending(path: $0) }
            text += "    static let \(folder.lowercased()): [(name: String, bytes: [UInt8])] = [\n"
            text += names.map { "        (\"\($0)\", PackageResources.\(Self.identifier($0))),\n" }.joined()
            text += "    ]\n"
        }
        text += "}\n"
        return [
            .buildCommand(
                displayName: "List the embedded files of \(target.name)",
                executable: URL(filePath: "/bin/sh"),
                arguments: ["-c", #"printf %s "$1" >"$0""#, output.path(), text],
                inputFiles: inputs,
                outputFiles: [output]
            )
        ]
    }

    /// The name under which the package manager embeds a file.
    private static func identifier(_ file: String) -> String {
        let name = String(file.map { $0.isLetter || $0.isNumber ? $0 : "_" })
        return name.first?.isNumber ?? false ? "_" + name : name
    }
}
