import Glibc

/// A TCP socket that the kernel accepts connections for and that nobody ever reads.
struct SilentPeer {
    let port: UInt16
    private let descriptor: Int32

    struct Failed: Error {}

    /// Port 0 is any.
    init(port wanted: UInt16 = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = wanted.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard bound else {
            _ = Glibc.close(descriptor)
            throw Failed()
        }
        port = UInt16(bigEndian: address.sin_port)
    }

    func close() { _ = Glibc.close(descriptor) }

    /// A port on which nobody listens at the moment. Below those that the kernel gives to clients: one of them that
    /// tries it before its server listens could reach itself.
    static func freePort() throws -> UInt16 {
        for _ in 0..<1000 {
            let candidate = UInt16.random(in: 20_000..<32_000)
            // Taken: the next one.
            guard let peer = try? SilentPeer(port: candidate) else { continue }
            peer.close()
            return candidate
        }
        throw Failed()
    }
}
