import HTTPTypes
package import Hummingbird

extension Router where Context == EdgeContext {
    /// The router that doors are mounted on. Its errors are problems.
    package static func edge(faults: FaultReader = FaultReader()) -> Router<EdgeContext> {
        let router = Router(context: EdgeContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: ProblemErrors(faults: faults))
        return router
    }

    /// Answers what the mounted routes leave open: HEAD as GET without a body, OPTIONS with what is allowed, every
    /// other method with 405. To be called once, after all doors; ``Router/routes`` holds only real routes before it.
    package func closeMethods() {
        let methods = Dictionary(grouping: routes, by: \.path.description)
        for (_, routes) in methods {
            guard let path = routes.first?.path else { continue }
            let known = Set(routes.map(\.method))
            var allowed = known.union([.options])
            if known.contains(.get) { allowed.insert(.head) }
            let names = allowed.map(\.rawValue).sorted()
            for method in Self.closed where !known.contains(method) && !(method == .head && known.contains(.get)) {
                on(path, method: method) { _, _ in
                    guard method == .options else { throw EdgeError.methodNotAllowed(allowed: names) }
                    return Response(status: .noContent, headers: [.allow: names.joined(separator: ", ")])
                }
            }
        }
    }

    /// Methods that every path answers, be it by saying which it takes; TRACE, which none takes, stands for all others.
    static var closed: [HTTPRequest.Method] { [.get, .head, .post, .put, .patch, .delete, .options, .trace] }
}
