import Domain
import Edge
import Testing

@Suite struct `Limits of callers` {
    private static let start = ContinuousClock.now

    @Test func `a burst passes, then one for each interval`() throws {
        var table = RateTable<Int>(try #require(Rate(perSecond: 10, burst: 3)))
        for _ in 0..<3 { #expect(table.take(1, at: Self.start) == nil) }
        #expect(table.take(1, at: Self.start) == .milliseconds(100))
        #expect(table.take(1, at: Self.start + .milliseconds(99)) == .milliseconds(1))
        #expect(table.take(1, at: Self.start + .milliseconds(100)) == nil)
        #expect(table.take(1, at: Self.start + .milliseconds(100)) != nil)
        // A pause gives the burst back, and no more than it.
        let later = Self.start + .seconds(60)
        for _ in 0..<3 { #expect(table.take(1, at: later) == nil) }
        #expect(table.take(1, at: later) != nil)
    }

    @Test func `who had to wait has taken nothing, and others wait for nobody`() throws {
        var table = RateTable<Int>(try #require(Rate(perSecond: 1, burst: 1)))
        #expect(table.take(1, at: Self.start) == nil)
        for _ in 0..<100 { #expect(table.take(1, at: Self.start) == .seconds(1)) }
        #expect(table.take(2, at: Self.start) == nil)
        #expect(table.take(1, at: Self.start + .seconds(1)) == nil)
    }

    @Test func `a full table keeps those that it knows, and new ones share one place`() throws {
        var table = RateTable<Int>(try #require(Rate(perSecond: 1, burst: 2)), mostKeys: 10)
        for key in 0..<10 { #expect(table.take(key, at: Self.start) == nil) }
        #expect(table.take(100, at: Self.start) == nil)
        #expect(table.take(101, at: Self.start) == nil)
        #expect(table.take(102, at: Self.start) != nil)
        #expect(table.take(3, at: Self.start) == nil)
        #expect(table.count == 10)
        // What is paid for makes room.
        #expect(table.take(102, at: Self.start + .seconds(5)) == nil)
        #expect(table.count == 1)
    }

    @Test func `a /64 is one address, an IPv4 address is one however it is written`() throws {
        let limits = CallerLimits(.init(perAddress: Rate(perSecond: 0.001, burst: 1)))
        try limits.admit(IPAddress("2001:db8::1"))
        #expect(throws: EdgeError.self) { try limits.admit(IPAddress("2001:db8::2")) }
        try limits.admit(IPAddress("2001:db8:0:1::1"))
        try limits.admit(IPAddress("192.0.2.1"))
        try limits.admit(IPAddress("192.0.2.2"))
        #expect(throws: EdgeError.self) { try limits.admit(IPAddress("::ffff:192.0.2.1")) }
    }

    @Test func `passwords from one place wait for each other, and those from elsewhere do not wait for them`()
        async throws
    {
        let hashing = try PasswordHashing(cost: .cheap, randomness: Zeros())
        let password = try #require(Password(typed: "a password that is long"))
        func tried(from text: String) async -> EdgeError? {
            do {
                _ = try await hashing.matches(password, nil, from: IPAddress(text))
                return nil
            } catch { return error as? EdgeError }
        }
        let flood = await withTaskGroup(of: EdgeError?.self) { group in
            for number in 0..<2000 { group.addTask { @concurrent in await tried(from: "2001:db8::\(number % 1000)") } }
            for number in 1...20 {
                group.addTask { @concurrent in
                    let refusal = await tried(from: "192.0.2.\(number)")
                    #expect(refusal == nil)
                    return nil
                }
            }
            return await group.reduce(into: [EdgeError]()) { refused, error in
                if let error { refused.append(error) }
            }
        }
        #expect(!flood.isEmpty)
        for error in flood { #expect(error == .tooManyRequests(retryAfterSeconds: EdgeError.retryAfterSeconds)) }
        // Each gave its place back.
        for _ in 0..<10 { #expect(await tried(from: "2001:db8::1") == nil) }
    }

    @Test func `of many at once exactly the burst passes`() async throws {
        let rate = try #require(Rate(perSecond: 0.001, burst: 50))
        let limits = CallerLimits(.init(perAddress: rate, perClient: rate, failures: rate, checks: rate))
        let address = try #require(IPAddress("192.0.2.1"))
        let client = IDBits(high: 1, low: 2)
        let passed = await withTaskGroup(of: [Int].self) { group in
            for _ in 0..<8 {
                group.addTask { @concurrent in
                    var counts = [0, 0, 0]
                    for _ in 0..<100 {
                        // Refused is what is not counted.
                        if (try? limits.admit(address)) != nil { counts[0] += 1 }
                        if (try? limits.admit(client)) != nil { counts[1] += 1 }
                        if limits.refuseCheck(from: address) == nil { counts[2] += 1 }
                    }
                    return counts
                }
            }
            return await group.reduce(into: [0, 0, 0]) { all, counts in
                for place in all.indices { all[place] += counts[place] }
            }
        }
        #expect(passed == [50, 50, 50])
    }

    @Test func `wrong secrets stop the address, right ones cost nothing of it`() throws {
        let limits = CallerLimits(.init(failures: Rate(perSecond: 0.01, burst: 3)))
        let address = IPAddress("192.0.2.1")
        for _ in 0..<3 {
            try limits.admit(address)
            limits.countFailure(from: address)
        }
        let refusal = #expect(throws: EdgeError.self) { try limits.admit(address) }
        guard case .tooManyRequests(let seconds)? = refusal else {
            Issue.record("no limit")
            return
        }
        #expect((1...100).contains(seconds))
        try limits.admit(IPAddress("192.0.2.2"))
    }

    @Test func `nothing is limited that has no rate`() throws {
        let limits = CallerLimits()
        for _ in 0..<1000 { try limits.admit(IPAddress("192.0.2.1")) }
    }

    @Test func `the list of proxies is read strictly`() throws {
        let organization = OrganizationID(high: 1, low: 2)
        let one = String(repeating: "a", count: 32)
        let list = try ProxyCredentials(parsing: "# ours\n\nedge \(organization) \(one)\r\nall * \(one)b\n")
        #expect(list.proxy(presenting: one)?.organization == organization)
        #expect(list.proxy(presenting: one + "b")?.name.description == "all")
        #expect(list.proxy(presenting: one + "c") == nil && list.proxy(presenting: "") == nil)
        for bad in [
            "edge \(one)", "edge  * \(one)", "Edge * \(one)", "edge acme \(one)", "edge * short",
            "edge * \(one)\nother * \(one)", "edge * \(one) more",
        ] {
            #expect(throws: ProxyCredentialsError.self, "\(bad)") { try ProxyCredentials(parsing: bad) }
        }
    }
}

/// Salt that nothing here depends on.
private struct Zeros: Randomness {
    func bytes(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
}
