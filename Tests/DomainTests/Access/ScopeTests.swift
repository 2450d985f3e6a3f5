import Domain
import Testing

@Suite struct ScopeTests {
    @Test(arguments: ["people:read", "people:read.self", "mcp", "a_b-c.d:e", "0", String(repeating: "a", count: 64)])
    func `names of scopes are taken`(name: String) {
        #expect(Scope(name)?.description == name)
    }

    @Test(arguments: ["", "People:read", "a b", "a\"b", "a\\b", "a/b", "ä", "*", String(repeating: "a", count: 65)])
    func `what is no name of a scope is refused`(name: String) {
        #expect(Scope(name) == nil)
    }

    @Test func `a list is read without regard to order and repetition`() {
        let set = ScopeSet(parsing: "people:read audit:read people:read")
        #expect(set?.joined == "audit:read people:read")
        #expect(set == ScopeSet([.peopleRead, .auditRead]))
    }

    @Test(arguments: ["", " ", "a  b", " a", "a ", "a\tb", "a B"])
    func `a list that RFC 6749 does not allow is refused`(text: String) {
        #expect(ScopeSet(parsing: text) == nil)
    }

    @Test func `no scope implies another`() {
        let whole = ScopeSet([.peopleRead])
        #expect(!whole.contains(.peopleReadSelf))
        #expect(!ScopeSet([.peopleReadSelf]).isSubset(of: whole))
        #expect(ScopeSet([.usersWrite]).intersection(ScopeSet([.usersRead])).isEmpty)
    }

    @Test func `sets of scopes obey the laws of sets`() {
        let one = ScopeSet([.peopleRead, .usersRead, .auditRead])
        let other = ScopeSet([.usersRead, .mcp])
        #expect(one.intersection(other) == ScopeSet([.usersRead]))
        #expect(one.subtracting(other) == ScopeSet([.peopleRead, .auditRead]))
        #expect(one.intersection(other).isSubset(of: one) && one.intersection(other).isSubset(of: other))
        #expect(ScopeSet.none.isSubset(of: other) && other.isSubset(of: .all))
        #expect(one.subtracting(.all).isEmpty)
    }

    @Test func `the catalogue names every built-in scope once`() {
        #expect(ScopeSet.all.scopes.count == Scope.catalogue.count)
        #expect(Scope.catalogue.allSatisfy { Scope($0.scope.description) == $0.scope && !$0.opens.isEmpty })
    }

    @Test func `an auditor changes nothing but own tokens, a source may do nothing, a member sees themselves`() {
        let others = Role.auditor.permissions.subtracting(ScopeSet([.tokensWrite]))
        #expect(others.names.allSatisfy { $0.hasSuffix(":read") })
        #expect(Role.source.permissions.isEmpty)
        #expect(Role.member.permissions == ScopeSet([.peopleReadSelf, .tokensRead, .tokensWrite]))
        #expect(Role.securityAdmin.permissions == .all)
    }
}
