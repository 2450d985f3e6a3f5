import Domain
import Edge
import Hummingbird
import HummingbirdCore
import Storage
import Transparency

// The order is fixed: who is it, is its token good from here, may it do this; only then is the body read, and once it is
// there all of that is asked again. Whatever is answered to a known caller, the entry of it is committed first.

extension APIDoor {
    func answer(_ operation: Operation, to request: Request, _ context: EdgeContext) async throws -> Response {
        switch operation.run {
        case .open(let answer):
            return try answer(self).response()
        case .called(let run):
            var caller = try await admit(request, context, to: operation)
            let (parameters, body): ([String: String], JSON)
            do {
                parameters = try operation.parameters(of: request)
                body = try await operation.body?.read(request) ?? [:]
            } catch {
                throw try await recorded(error, of: caller, in: operation, context)
            }
            // A body takes as long as its sender likes: whose access ended meanwhile does nothing any more.
            if operation.body != nil { caller = try await admit(request, context, to: operation) }
            let answer: APIAnswer
            do {
                let call = APICall(
                    door: self,
                    operation: operation,
                    caller: caller,
                    context: context,
                    request: request,
                    parameters: parameters,
                    body: body
                )
                answer = try await run(call)
            } catch {
                throw try await recorded(error, of: caller, in: operation, context)
            }
            if let draft = operation.draft(of: answer, by: caller, context) {
                try await observe(draft, by: caller, context)
                answer.whenTold?()
            }
            return answer.response
        }
    }

    // MARK: Admission

    private func admit(_ request: Request, _ context: EdgeContext, to operation: Operation) async throws -> Caller {
        let token = try Authenticator.bearer(in: request.headers)
        guard let facts = try await store.facts(of: token) else { throw EdgeError.unauthorized(.invalid) }
        if let refusal = facts.refusal(from: context.client, for: audience) {
            try await refuse(operation, to: facts.caller, because: refusal.rawValue, context)
            throw refusal == .addressNotAllowed ? EdgeError.refused(refusal) : .unauthorized(.invalid)
        }
        let needed = operation.access.scopes
        if let first = needed.first, !needed.contains(where: facts.caller.scopes.contains) {
            try await refuse(operation, to: facts.caller, because: AccessRefusal.scopeMissing.rawValue, context)
            throw EdgeError.forbidden(needs: first)
        }
        lastUses?.touch(facts.caller, at: facts.checkedAt, from: context.client)
        return facts.caller
    }

    // MARK: Entries

    /// The refusal as it is answered, once its entry is committed. Faults of ours pass as they are: they are nobody's
    /// doing.
    private func recorded(
        _ error: any Error,
        of caller: Caller,
        in operation: Operation,
        _ context: EdgeContext
    ) async throws -> any Error {
        guard let refusal = EdgeError(refusal: error) else { return error }
        // What a change refused with a word of Domain's, it recorded itself.
        if !(error is AccessRefusal), let reason = refusal.auditReason {
            try await refuse(operation, to: caller, because: reason, context)
        }
        return refusal
    }

    private func refuse(
        _ operation: Operation,
        to caller: Caller,
        because reason: String,
        _ context: EdgeContext
    ) async throws {
        let named = operation.named(in: context)
        let draft = AuditDraft(
            operation.action,
            named?.target ?? .organization(caller.organization),
            outcome: .refused,
            reason: reason,
            after: ["operation": .string(operation.id)],
            person: named?.person
        )
        try await observe(draft, by: caller, context)
    }

    private func observe(_ draft: AuditDraft, by caller: Caller, _ context: EdgeContext) async throws {
        let attribution = Attribution(caller: caller, origin: context.origin, receivedAt: context.receivedAt)
        try await observations.perform(Observation(draft, by: attribution), in: caller.organization)
    }
}

extension Operation {
    fileprivate func named(in context: EdgeContext) -> (target: AuditTarget, person: PersonID?)? {
        context.parameters.get("id").flatMap { text in target?.read(text) ?? nil }
    }

    /// Refuses parameters that the operation does not have: a mistyped one is never a wider answer than was asked for.
    fileprivate func parameters(of request: Request) throws(EdgeError) -> [String: String] {
        let known = Dictionary(
            parameters.filter { $0.place == .query }.map { ($0.name, $0.schema.characters) },
            uniquingKeysWith: { first, _ in first }
        )
        var values: [String: String] = [:]
        for (name, value) in try QueryParameters.read(request.uri.query ?? "") {
            guard let characters = known[name] else {
                throw .invalid([.init(parameter: name, "This parameter is not known here.")])
            }
            guard characters.contains(value.unicodeScalars.count) else {
                throw .invalid([.init(parameter: name, "This is too short or too long.")])
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .invalid([.init(parameter: name, "This parameter stands twice.")])
            }
        }
        return values
    }

    /// The entry of a read, or of an answer that was given before; nil where a change holds its entry already.
    fileprivate func draft(of answer: APIAnswer, by caller: Caller, _ context: EdgeContext) -> AuditDraft? {
        guard answer.notes != nil || answer.isReplay else { return nil }
        let named = named(in: context)
        var after = answer.notes ?? [:]
        after["operation"] = .string(id)
        return AuditDraft(
            action,
            named?.target ?? .organization(caller.organization),
            reason: answer.isReplay ? "replayed" : nil,
            authority: access.scopes.first(where: caller.scopes.contains).map(Authority.scope),
            after: after,
            person: answer.person ?? named?.person
        )
    }
}

extension Operation.Body {
    fileprivate func read(_ request: Request) async throws -> JSON {
        if isOptional, !request.headers.contains(.contentType) {
            guard try await request.readBody(mostBytes: mostBytes).readableBytes == 0 else {
                throw EdgeError.unsupportedMediaType(accepted: contentTypes.joined(separator: " or "))
            }
            return [:]
        }
        guard !isOptional else {
            return try await request.readJSONIfAny(mostBytes: mostBytes, contentTypes: contentTypes) ?? [:]
        }
        return try await request.readJSON(mostBytes: mostBytes, contentTypes: contentTypes)
    }
}
