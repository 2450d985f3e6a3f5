import ArgumentParser
import Testing

@testable import rollcall

@Suite struct `Help` {
    static func leaves(of command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        let below = command.configuration.subcommands
        return below.isEmpty ? [command] : below.flatMap(leaves)
    }

    @Test func `every command has an example that names it`() {
        for command in Self.leaves(of: Rollcall.self) {
            let help = Rollcall.helpMessage(for: command, columns: 80)
            let usage = help.split(separator: "\n").first { $0.hasPrefix("USAGE: ") }?.dropFirst("USAGE: ".count) ?? ""
            let words = usage.split(separator: " ").prefix { !"[<-".contains($0.first ?? "[") }.joined(separator: " ")
            #expect(help.contains("EXAMPLES\n"), "\(words)")
            #expect(command.configuration.discussion.contains(words), "\(words)")
        }
    }

    @Test func `no example is broken by a narrow terminal`() {
        for command in Self.leaves(of: Rollcall.self) {
            for line in command.configuration.discussion.split(separator: "\n") where line.hasPrefix("  ") {
                #expect(line.count <= 80, "\(line)")
            }
        }
    }
}
