import CFuzzer
import Dispatch
import Foundation
import Synchronization

/// `fuzz --seed DIR` writes a delivery of each profile; everything else is libFuzzer's.
@main
enum Fuzz {
    static func main() throws {
        if CommandLine.arguments.dropFirst().first == "--seed", let directory = CommandLine.arguments.last {
            for (name, input) in try DeliveryProperties().seeds() {
                try Data(input).write(to: URL(fileURLWithPath: directory).appending(path: "seed-" + name))
            }
            return
        }
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments) { judge(UnsafeBufferPointer(start: $0, count: $1)) })
    }
}

/// Everything is pure, so one will do for all inputs.
private let properties = Result { try DeliveryProperties() }

/// Ends the process by a trap where something does not hold: libFuzzer then keeps the input.
private func judge(_ data: UnsafeBufferPointer<UInt8>) -> CInt {
    let input = Array(data)
    let found = Violations()
    // libFuzzer calls back on a thread of its own and waits.
    Task.detached {
        found.settle(await (try? properties.get())?.violations(of: input) ?? ["the profiles do not load"])
    }
    let violations = found.wait()
    precondition(violations.isEmpty, violations.joined(separator: "; "))
    return 0
}

/// What was found, handed from one thread to the other.
private final class Violations: Sendable {
    private let found = Mutex<[String]>([])
    private let done = DispatchSemaphore(value: 0)

    func settle(_ violations: [String]) {
        found.withLock { $0 = violations }
        done.signal()
    }

    func wait() -> [String] {
        done.wait()
        return found.withLock { $0 }
    }
}
