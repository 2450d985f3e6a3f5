package import Domain
import Foundation
import NIOCore
import NIOPosix

/// How a host's addresses are found. One call answers for the whole request: nothing is resolved a second time.
package struct NameResolver: Sendable {
    /// Beyond this many addresses the rest is left alone.
    package static let mostAddresses = 16

    let addresses: @Sendable (_ host: String, _ deadline: NIODeadline) async -> [IPAddress]

    /// A resolver that knows its answers. For tests, and for hosts that the operator pinned by hand.
    package init(_ answer: @escaping @Sendable (_ host: String) async -> [IPAddress]) {
        addresses = { host, _ in await answer(host) }
    }

    private init(bounded: @escaping @Sendable (_ host: String, _ deadline: NIODeadline) async -> [IPAddress]) {
        addresses = bounded
    }

    /// The operating system's resolver, on a thread of its own: it blocks, and it knows no deadline. When the deadline
    /// comes first the thread is left to finish alone and the answer is that there is none.
    package static let system = NameResolver(bounded: { host, deadline in
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let first = loop.makePromise(of: [IPAddress].self)
        let timer = loop.scheduleTask(deadline: deadline) { first.succeed([]) }
        NIOThreadPool.singleton.submit { state in
            first.succeed(state == .active ? lookUp(host) : [])
        }
        // The promise is only ever succeeded.
        let found = (try? await first.futureResult.get()) ?? []
        timer.cancel()
        return found
    })

    private static func lookUp(_ host: String) -> [IPAddress] {
        var seen: Set<IPAddress> = []
        return Host(name: host).addresses.prefix(mostAddresses).compactMap { text in
            // A link-local address comes with its zone; what matters is that it is link-local.
            IPAddress(String(text.prefix { $0 != "%" }))
        }.filter { seen.insert($0).inserted }
    }
}
