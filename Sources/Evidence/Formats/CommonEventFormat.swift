import Transparency

/// Where CEF's dictionary has a field.
enum CEFKey: Sendable {
    case plain(String)
    /// One of the custom keys, whose meaning stands beside it as `…Label`.
    case labelled(String)
    /// `src` for IPv4, the labelled `c6a2` for IPv6.
    case address
}

extension FieldValues {
    /// One line of CEF 0, its end not included.
    ///
    /// A line is a line whatever stands in the entry: line breaks are escaped as CEF says, and other control characters,
    /// for which it has no escape, are written as U+FFFD.
    var cef: String {
        get throws(ExportError) {
            let action = text("/action") ?? ""
            let header = ["Rollcall", "Rollcall", "1", action, Self.words(action), severity]
            var extensions: [(key: String, value: String)] = []
            for (field, value) in all {
                let text: String
                if case .time = field.form {
                    text = String(try milliseconds(value))
                } else {
                    text = Self.plain(value, field.form)
                }
                switch field.cef {
                case .plain(let key): extensions.append((key, text))
                case .labelled(let key): extensions += [(key + "Label", field.name), (key, text)]
                case .address where text.utf8.contains(UInt8(ascii: ":")):
                    extensions += [("c6a2Label", field.name), ("c6a2", text)]
                case .address: extensions.append(("src", text))
                case nil: extensions.append((Self.ownKey(field.name), text))
                }
            }
            return "CEF:0|" + header.map(CEFText.header).joined(separator: "|") + "|"
                + extensions.map { $0.key + "=" + CEFText.value($0.value) }.joined(separator: " ")
        }
    }

    /// 0 to 10: what was refused stands out.
    private var severity: String { text("/outcome") == "refused" ? "5" : "1" }

    /// `grant.secret_claimed` as a reader says it.
    private static func words(_ action: String) -> String {
        String(action.map { $0 == "." || $0 == "_" ? " " : $0 })
    }

    /// `trace_id` as `RollcallTraceId`: CEF's form for keys that are not in its dictionary.
    private static func ownKey(_ name: String) -> String {
        var key = "Rollcall"
        var isStart = true
        for character in name {
            if character == "_" {
                isStart = true
            } else {
                key += isStart ? character.uppercased() : String(character)
                isStart = false
            }
        }
        return key
    }
}

/// CEF's two ways of escaping.
enum CEFText {
    /// In the header `|` and `\` are escaped, and there are no line breaks.
    static func header(_ text: String) -> String {
        escaped(text) { scalar in
            switch scalar {
            case "|": "\\|"
            case "\\": "\\\\"
            case "\n", "\r": " "
            default: nil
            }
        }
    }

    /// In the extension `=` and `\` are escaped, and line breaks are written as `\n` and `\r`.
    static func value(_ text: String) -> String {
        escaped(text) { scalar in
            switch scalar {
            case "=": "\\="
            case "\\": "\\\\"
            case "\n": "\\n"
            case "\r": "\\r"
            default: nil
            }
        }
    }

    private static func escaped(_ text: String, _ escape: (Unicode.Scalar) -> String?) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if let text = escape(scalar) {
                escaped.append(contentsOf: text.unicodeScalars)
            } else {
                escaped.append(isLineOrControl(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return String(escaped)
    }

    private static func isLineOrControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
