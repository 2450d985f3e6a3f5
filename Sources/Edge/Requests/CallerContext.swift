package import Domain
package import Hummingbird

/// The context of a handler that only an authenticated caller reaches.
///
/// Behind ``Authenticator``, a group takes it with `group(context: CallerContext.self)`; a route that forgot the
/// middleware answers 401 to everybody.
package struct CallerContext: ChildRequestContext {
    package var coreContext: CoreRequestContextStorage
    package let request: EdgeContext
    package let caller: Caller

    /// Refuses a request that nobody has authenticated.
    package init(context: EdgeContext) throws {
        guard let caller = context.caller else { throw EdgeError.unauthorized(.missing) }
        coreContext = context.coreContext
        request = context
        self.caller = caller
    }

    /// Who changes what this request changes.
    package var attribution: Attribution {
        Attribution(caller: caller, origin: request.origin, receivedAt: request.receivedAt)
    }

    /// Refuses, naming the scope, unless the caller has it.
    package func require(_ scope: Scope) throws(EdgeError) {
        guard caller.scopes.contains(scope) else { throw .forbidden(needs: scope) }
    }
}
