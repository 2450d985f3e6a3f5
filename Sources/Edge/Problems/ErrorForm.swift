package import Hummingbird

/// How a door whose protocol has an error form of its own says what is refused before or around its handlers: by limits,
/// for a body or a method, or for a fault of ours. Chosen by the path of the request, since most of that happens where no
/// route is known yet.
package struct ErrorForm: Sendable {
    /// Exact, without the query.
    package let paths: Set<String>
    /// The answer; of a fault that nobody foresaw for nil.
    package let response: @Sendable (EdgeError?) -> Response

    package init(paths: Set<String>, response: @escaping @Sendable (EdgeError?) -> Response) {
        self.paths = paths
        self.response = response
    }
}
