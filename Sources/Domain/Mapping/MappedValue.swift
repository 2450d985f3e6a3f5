import Transparency

/// One value that a mapping makes of a payload.
struct MappedValue: Sendable {
    /// Tried in turn; the first that leads to something that is not null counts. Empty for a constant.
    let pointers: [PayloadPointer]
    let constant: JSON?
    /// The sender's words, each with ours. A word that is not among them is refused, never guessed.
    let words: [String: JSON]?
    let form: Form

    /// What a value has to be.
    enum Form: String, CaseIterable, Sendable {
        /// Whatever it is.
        case any
        /// A text; a number is taken as it is written.
        case text
        /// A date. Of a time only its date counts, as written: such senders write midnight where they mean a day.
        case date
        /// A time, RFC 3339.
        case rfc3339
        /// A time as ISO 8601 allows it too: an offset without its colon, a space for the `T`, and UTC where no offset is
        /// said.
        case iso8601
        /// A time in seconds of Unix.
        case seconds
        /// A time in milliseconds of Unix.
        case milliseconds
    }

    /// nil where the payload says nothing, null where it says that there is nothing.
    func value(in part: PayloadPart) throws(MappingError) -> JSON? {
        if let constant { return constant }
        guard let (pointer, found) = found(in: part) else { return nil }
        if found.isNull { return .null }
        if let words {
            guard let word = text(of: found), let known = words[word] else {
                throw part.error(pointer, "is none of the words that this mapping knows")
            }
            return known
        }
        switch form {
        case .any:
            return found
        case .text:
            return .string(try required(text(of: found), pointer, part, "is not a text"))
        case .date:
            return .string(try required(date(of: found), pointer, part, "is not a date").description)
        case .rfc3339, .iso8601, .seconds, .milliseconds:
            return .string(try required(time(of: found), pointer, part, form.refusal).description)
        }
    }

    /// The text that it means; nil where nothing is said.
    func text(in part: PayloadPart) throws(MappingError) -> String? {
        guard let value = try value(in: part), !value.isNull else { return nil }
        return try required(text(of: value), place, part, "is not a text")
    }

    /// The instant that it means; nil where nothing is said.
    func time(in part: PayloadPart) throws(MappingError) -> Timestamp? {
        guard let (pointer, found) = found(in: part), !found.isNull else { return nil }
        return try required(time(of: found), pointer, part, form.refusal)
    }

    /// The date or instant that it means; nil where nothing is said.
    func effective(in part: PayloadPart) throws(MappingError) -> CanonicalEvent.Effective? {
        guard let (pointer, found) = found(in: part), !found.isNull else { return nil }
        if form == .date { return .date(try required(date(of: found), pointer, part, "is not a date")) }
        if let day = text(of: found).flatMap({ LocalDate($0) }) { return .date(day) }
        return .instant(try required(time(of: found), pointer, part, "is neither an RFC 3339 time nor a date"))
    }

    /// Where it is looked for first, to be named in a refusal.
    var place: PayloadPointer {
        pointers.first ?? .whole
    }

    private func found(in part: PayloadPart) -> (PayloadPointer, JSON)? {
        var nothing: PayloadPointer?
        for pointer in pointers {
            guard let value = part[pointer] else { continue }
            if !value.isNull { return (pointer, value) }
            nothing = nothing ?? pointer
        }
        return nothing.map { ($0, .null) }
    }

    private func required<Value>(
        _ value: Value?,
        _ pointer: PayloadPointer,
        _ part: PayloadPart,
        _ problem: String
    ) throws(MappingError) -> Value {
        guard let value else { throw part.error(pointer, problem) }
        return value
    }

    private func text(of value: JSON) -> String? {
        value.string ?? value.number?.literal
    }

    private func date(of value: JSON) -> LocalDate? {
        guard let text = value.string else { return nil }
        if let date = LocalDate(text) { return date }
        return Timestamp(iso8601: text) == nil ? nil : LocalDate(String(text.prefix(10)))
    }

    private func time(of value: JSON) -> Timestamp? {
        switch form {
        case .seconds: whole(value).map(Timestamp.init(seconds:))
        case .milliseconds: whole(value).map { Timestamp(microseconds: $0 * 1_000) }
        case .iso8601: value.string.flatMap(Timestamp.init(iso8601:))
        case .any, .text, .date, .rfc3339: value.string.flatMap { Timestamp($0) }
        }
    }

    /// A number, or the digits of one, small enough that no unit overflows.
    private func whole(_ value: JSON) -> Int64? {
        let most: Int64 = 253_402_300_799_999
        return (value.int64 ?? value.string.flatMap { Int64($0) }).flatMap { (0...most).contains($0) ? $0 : nil }
    }
}

extension MappedValue.Form {
    fileprivate var refusal: String {
        switch self {
        case .seconds, .milliseconds: "is not a time in whole \(rawValue)"
        case .iso8601: "is not an ISO 8601 time"
        case .any, .text, .date, .rfc3339: "is not an RFC 3339 time"
        }
    }
}

extension Timestamp {
    /// RFC 3339, or with what ISO 8601 allows besides and senders use: a space for the `T`, an offset without its colon,
    /// no offset at all for UTC.
    init?(iso8601 text: String) {
        var bytes = Array(text.utf8)
        // The shortest that has a time of day: 2026-11-21T09:00:00.
        guard bytes.count >= 19 else { return nil }
        if bytes[10] == UInt8(ascii: " ") { bytes[10] = UInt8(ascii: "T") }
        let sign = bytes.lastIndex { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
        let isDigit = { (byte: UInt8) in byte >= 0x30 && byte <= 0x39 }
        if let sign, sign >= 19 {
            if bytes.count == sign + 5 { bytes.insert(UInt8(ascii: ":"), at: sign + 3) }
        } else if bytes.last.map(isDigit) == true {
            bytes.append(UInt8(ascii: "Z"))
        }
        self.init(String(decoding: bytes, as: UTF8.self))
    }
}
