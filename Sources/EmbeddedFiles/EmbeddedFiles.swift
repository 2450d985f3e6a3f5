// EmbeddedFiles: a build plugin. It carries the texts of Domain's data files into the program, as `EmbeddedFiles.profiles`
// and `.mappings`, so that a sender is added by its files alone and its name stands in no Swift file. The package
// manager's own embedding has no list of what it embeds, and one name for two files that are called the same.

import Foundation
import PackagePlugin

/// Writes Profiles/ and Mappings/ of a target as Swift.
@main
struct EmbeddedFiles: BuildToolPlugin {
    private static let folders = ["Profiles", "Mappings"]

    /// Arguments: the output, then `folder=NAME` and the folder's files, for each folder.
    private static let script = ####"""
        exec >"$0"
        echo '/// The data files that the program carries: name and text.'
        echo 'enum EmbeddedFiles {'
        open=
        for argument; do
            case $argument in
            folder=*)
                if [ "$open" ]; then echo '    ]'; fi
                open=1
                echo "    static let ${argument#folder=}: [(name: String, text: String)] = ["
                ;;
            *)
                printf '("%s", ###"""\n' "${argument##*/}"
                cat "$argument" || exit
                printf '\n"""###),\n'
                ;;
            esac
        done
        echo '    ]'
        echo '}'
        """####

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedFiles+texts.swift")
        var arguments = ["-c", Self.script, output.path()]
        var inputs: [URL] = []
        for folder in Self.folders {
            let directory = target.directoryURL.appending(path: folder)
            let names = try FileManager.default.contentsOfDirectory(atPath: directory.path())
            let files = names.filter { $0.hasSuffix(".yaml") }.sorted().map { directory.appending(path: $0) }
            inputs += files
            arguments += ["folder=\(folder.lowercased())"] + files.map { $0.path() }
        }
        return [
            .buildCommand(
                displayName: "Embed the data files of \(target.name)",
                executable: URL(filePath: "/bin/sh"),
                arguments: arguments,
                inputFiles: inputs,
                outputFiles: [output]
            )
        ]
    }
}
