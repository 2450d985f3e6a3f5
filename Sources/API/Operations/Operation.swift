package import Domain
package import HTTPTypes
import Transparency

/// One operation: everything that its route, its checks, its audit entry and its place in the OpenAPI document are made
/// from. Made with `read`, `list`, `create`, `change`, `act` or `remove`, which hold what operations of that kind share.
package struct Operation: Sendable {
    /// `operationId`: a verb and a noun, camel case. Stands in entries of lists and never changes.
    package let id: String
    package let method: HTTPRequest.Method
    /// As OpenAPI writes it: `/v1/sources/{id}`.
    package let path: String
    package let access: Access
    /// What an entry calls it, done or refused.
    package let action: ActionCode
    package let summary: String
    /// Whether the last name in the path stands for all that follows, slashes included.
    package var takesRest = false
    /// What the id in the path names; nil: the operation is about the organization.
    package var target: PathTarget?
    /// Beyond those of the path, which are told from it.
    package var parameters: [Parameter] = []
    package var body: Body?
    package var answers: Answers
    let run: Run

    /// Who may.
    package enum Access: Sendable {
        /// Anybody, without a token. Nothing that belongs to an organization.
        case open
        /// Any caller with a good token.
        case anyone
        /// A caller with at least one of these scopes.
        case scope([Scope])

        /// A caller with this scope.
        package static func scope(_ scope: Scope) -> Access { .scope([scope]) }

        var scopes: [Scope] {
            if case .scope(let scopes) = self { scopes } else { [] }
        }
    }

    /// A parameter of the query or a header field.
    package struct Parameter: Sendable {
        /// Where it stands. Raw values are OpenAPI's.
        package enum Place: String, Sendable {
            case query
            case header
        }

        package let name: String
        package let place: Place
        package let schema: Schema
        package let summary: String
        package var isRequired = false

        package init(_ name: String, in place: Place, _ schema: Schema, _ summary: String, isRequired: Bool = false) {
            self.name = name
            self.place = place
            self.schema = schema
            self.summary = summary
            self.isRequired = isRequired
        }
    }

    /// What it takes.
    package struct Body: Sendable {
        package let schema: Schema
        package var contentTypes = ["application/json"]
        /// An empty body then stands for an empty object.
        package var isOptional = false
        /// Bytes at most.
        package var mostBytes: Int

        /// Nothing that the API takes is near it, but for requests that were captured elsewhere.
        package static let standardBytes = 256 * 1024

        package init(
            _ schema: Schema,
            contentTypes: [String] = ["application/json"],
            isOptional: Bool = false,
            mostBytes: Int = standardBytes
        ) {
            self.schema = schema
            self.contentTypes = contentTypes
            self.isOptional = isOptional
            self.mostBytes = mostBytes
        }
    }

    /// What it answers when it does what it was asked.
    package struct Answers: Sendable {
        package let status: HTTPResponse.Status
        /// nil: no body.
        package let schema: Schema?
        package let summary: String
        package var fields: [HTTPField.Name] = []
        /// What it answers instead (202) where a second admin is needed first; nil where none ever is.
        package var waiting: Schema?
        /// Media types, where it is no JSON: then `schema` is nil.
        package var files: [String] = []

        package init(
            _ status: HTTPResponse.Status,
            _ schema: Schema?,
            _ summary: String,
            fields: [HTTPField.Name] = [],
            waiting: Schema? = nil
        ) {
            self.status = status
            self.schema = schema
            self.summary = summary
            self.fields = fields
            self.waiting = waiting
        }
    }

    enum Run: Sendable {
        case open(@Sendable (APIDoor) throws -> JSON)
        case called(@Sendable (APICall) async throws -> APIAnswer)
    }
}

/// What an id in a path names. A text that is no id of that noun names nothing, and is answered like an unknown id.
package struct PathTarget: Sendable {
    let read: @Sendable (String) -> (target: AuditTarget, person: PersonID?)?
    /// The prefix of its ids, for the document.
    let prefix: String

    /// The target of a noun; `make` is one of ``AuditTarget``'s.
    package init<Kind>(_ make: @escaping @Sendable (ID<Kind>) -> AuditTarget) {
        prefix = Kind.prefix
        read = { text in ID<Kind>(text).map { (make($0), nil) } }
    }

    private init(person: Void) {
        prefix = PersonKind.prefix
        read = { text in PersonID(text).map { (.person($0), $0) } }
    }

    package static let person = PathTarget(person: ())
    package static let hold = PathTarget(AuditTarget.hold)
    package static let app = PathTarget(AuditTarget.app)
    package static let authorization = PathTarget(AuditTarget.authorization)
    package static let session = PathTarget(AuditTarget.session)
    package static let user = PathTarget(AuditTarget.user)
    package static let integration = PathTarget(AuditTarget.integration)
    package static let workspace = PathTarget(AuditTarget.workspace)
    package static let resource = PathTarget(AuditTarget.resource)
    package static let grant = PathTarget(AuditTarget.grant)
    package static let token = PathTarget(AuditTarget.token)
    package static let approval = PathTarget(AuditTarget.approval)
    package static let source = PathTarget(AuditTarget.source)
    package static let delivery = PathTarget(AuditTarget.delivery)
    package static let event = PathTarget(AuditTarget.event)
    package static let rejectedRequest = PathTarget(AuditTarget.rejectedRequest)
}
