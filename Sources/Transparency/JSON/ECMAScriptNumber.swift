/// Doubles as ECMAScript's `Number::toString` writes them, which RFC 8785 3.2.2.3 demands.
package enum ECMAScriptNumber {
    /// A decimal number as its significant digits (no zeros at either end) and the place of the decimal point:
    /// 0.`digits` times ten to the power of `point`. Zero has no digits and point 0.
    struct Decimal: Equatable {
        var isNegative: Bool
        var digits: [UInt8]
        var point: Int

        /// Reads any number literal of JSON, and Swift's description of a double. The literal must be valid; nil when
        /// its exponent has more digits than an Int holds, which no double's has.
        init?(_ literal: String) {
            isNegative = false
            digits = []
            point = 0
            var pointSeen = false
            var rest = literal.utf8[...]
            if rest.first == UInt8(ascii: "-") {
                isNegative = true
                rest.removeFirst()
            }
            scan: while let byte = rest.popFirst() {
                switch byte {
                case 0x30...0x39:
                    if byte == 0x30, digits.isEmpty {
                        if pointSeen { point -= 1 }
                    } else {
                        digits.append(byte)
                        if !pointSeen { point += 1 }
                    }
                case UInt8(ascii: "."):
                    pointSeen = true
                default:
                    guard let exponent = Int(Substring(rest)) else { return nil }
                    let (sum, overflow) = point.addingReportingOverflow(exponent)
                    guard !overflow else { return nil }
                    point = sum
                    break scan
                }
            }
            while digits.last == 0x30 { digits.removeLast() }
            if digits.isEmpty {
                isNegative = false
                point = 0
            }
        }
    }

    /// The text of a finite double: the fewest digits that read back as the same double. Minus zero is `0`. The caller
    /// has refused infinities and NaN.
    package static func text(_ value: Double) -> String {
        // Swift's description has the shortest digits too; only where it puts point and exponent differs.
        guard let decimal = Decimal(value.description), !decimal.digits.isEmpty else { return "0" }
        return text(decimal)
    }

    static func text(_ decimal: Decimal) -> String {
        let (digits, count, point) = (decimal.digits, decimal.digits.count, decimal.point)
        let zero = UInt8(ascii: "0")
        let dot = UInt8(ascii: ".")
        var out: [UInt8] = decimal.isNegative ? [UInt8(ascii: "-")] : []
        switch point {
        case 1...21 where point >= count:
            out += digits
            out += repeatElement(zero, count: point - count)
        case 1...21:
            out += digits[..<point]
            out.append(dot)
            out += digits[point...]
        case -5...0:
            out += [zero, dot]
            out += repeatElement(zero, count: -point)
            out += digits
        default:
            out.append(digits[0])
            if count > 1 {
                out.append(dot)
                out += digits[1...]
            }
            out.append(UInt8(ascii: "e"))
            let exponent = point - 1
            out.append(UInt8(ascii: exponent < 0 ? "-" : "+"))
            out += String(exponent.magnitude).utf8
        }
        return String(decoding: out, as: UTF8.self)
    }
}
