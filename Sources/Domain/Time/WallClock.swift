/// What time it is. Injected, so that a test says when it is; the real one is made in App.
package protocol WallClock: Sendable {
    func now() -> Timestamp
}

/// Where secrets and ids come from. Injected, so that a test can repeat them; the real one is made in App.
package protocol Randomness: Sendable {
    /// `count` bytes from a cryptographically secure generator.
    func bytes(_ count: Int) -> [UInt8]
}

extension Randomness {
    /// 128 bits as two words.
    package func words() -> (UInt64, UInt64) {
        let bytes = bytes(16)
        return (bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }, bytes[8...].reduce(0) { $0 << 8 | UInt64($1) })
    }
}
