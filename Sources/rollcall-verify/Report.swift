import ArgumentParser
import Foundation
import Transparency

/// How a verdict is printed.
enum OutputForm: String, ExpressibleByArgument {
    /// Lines for a human.
    case text
    /// One JSON object.
    case json

    /// As the arguments ask for it, where they could be read only in part.
    init(arguments: [String]) {
        let asked = zip(arguments, arguments.dropFirst()).contains { ["-o", "--output"].contains($0) && $1 == "json" }
        self = asked || arguments.contains("--output=json") ? .json : .text
    }
}

/// That it holds, and what holds.
struct Report {
    let checkpoint: Checkpoint
    let signatures: [VerifiedSignature]
    /// What else was found, in the order in which it is told.
    var more: [(name: String, value: JSON)] = []

    var json: JSON {
        var object: JSON.Object = [
            "verdict": "holds", "origin": .string(checkpoint.origin.text), "size": .integer(checkpoint.size),
            "root": .string(checkpoint.root.base64),
            "signed_by": .array(signatures.filter { $0.time == nil }.map { .string($0.key.name.text) }),
            "cosigned_by": .array(
                signatures.compactMap { signature in
                    signature.time.map { ["name": .string(signature.key.name.text), "time": .integer($0)] }
                }
            ),
        ]
        for (name, value) in more { object[name] = value }
        return .object(object)
    }

    var text: String {
        var lines = ["holds: \(checkpoint.origin.text), size \(checkpoint.size), root \(checkpoint.root.base64)"]
        for signature in signatures {
            let time = signature.time.map { ", at \($0) seconds since 1970" } ?? ""
            lines.append("signed by \(signature.key.name.text)\(time)")
        }
        lines += more.map { "\($0.name.replacing("_", with: " ")): \($0.value.string ?? $0.value.text)" }
        return lines.map { $0 + "\n" }.joined()
    }
}

/// The only writer. What a verdict says goes to stdout as data; a fault for humans and all else to stderr.
struct Output {
    let write: (String) -> Void
    let note: (String) -> Void

    static var standard: Output {
        Output(
            write: { FileHandle.standardOutput.write(Data($0.utf8)) },
            note: { FileHandle.standardError.write(Data(($0 + "\n").utf8)) }
        )
    }

    /// The exit code.
    func tell(_ report: Report, _ form: OutputForm) -> Int32 {
        write(form == .json ? report.json.text + "\n" : report.text)
        return 0
    }

    /// The exit code.
    func tell(_ fault: Fault, in form: OutputForm) -> Int32 {
        switch form {
        case .json:
            var object: JSON.Object = [
                "verdict": "fault", "fault": .string(fault.kind.word), "file": .string(fault.file),
                "reason": .string(fault.reason),
            ]
            if let entry = fault.entry { object["entry"] = .integer(entry) }
            write(JSON.object(object).text + "\n")
        case .text:
            let place = fault.file + (fault.entry.map { ", entry \($0)" } ?? "")
            note("rollcall-verify: \(fault.kind.word): \(place): \(fault.reason)")
        }
        return fault.kind.rawValue
    }
}
