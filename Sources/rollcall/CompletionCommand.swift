import ArgumentParser

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print what a shell needs to complete commands.",
        discussion: """
            EXAMPLES
              rollcall completion bash >/etc/bash_completion.d/rollcall
              rollcall completion zsh >"${fpath[1]}/_rollcall"
              rollcall completion fish >~/.config/fish/completions/rollcall.fish
            """
    )

    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash
        case zsh
        case fish
    }

    @Argument(help: "bash, zsh or fish.") var shell: Shell

    func run() throws {
        do {
            _ = try Rollcall.parseAsRoot(["--generate-completion-script", shell.rawValue])
        } catch {
            // That is how the parser hands out a script: as what is to be printed before a clean exit.
            try Output.standard.write(text: Rollcall.fullMessage(for: error) + "\n")
        }
    }
}
