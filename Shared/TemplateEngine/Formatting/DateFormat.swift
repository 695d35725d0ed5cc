/// Python's `datetime.strftime` of a naive moment, as on Linux in the C locale.
struct DateFormat {
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    private let moment: TemplateMoment

    init(_ moment: TemplateMoment) { self.moment = moment }

    /// The flags of the C library between the percent sign and the directive.
    private struct Flags {
        /// What numbers are padded with: nothing for nil.
        var padding: Character? = "0"
        var isGiven = false
        var isUpper = false
        var swapsCase = false
        var width = 0
    }

    func text(_ format: Text) throws -> Text {
        var output = String()
        var scalars = format.scalars
        while let scalar = scalars.next() {
            guard scalar == "%" else {
                output.unicodeScalars.append(scalar)
                continue
            }
            output += try directive(&scalars)
        }
        return Text(output)
    }

    private func directive(_ scalars: inout UTF8Scalars) throws -> String {
        var flags = Flags()
        var source = "%"
        while let scalar = scalars.next() {
            source.unicodeScalars.append(scalar)
            switch scalar {
            case "-": (flags.padding, flags.isGiven) = (nil, true)
            case "_": (flags.padding, flags.isGiven) = (" ", true)
            case "0" where flags.width == 0: (flags.padding, flags.isGiven) = ("0", true)
            case "^": flags.isUpper = true
            case "#": flags.swapsCase = true
            case "0"..."9":
                flags.width = flags.width * 10 + Int(scalar.value - 0x30)
                guard flags.width <= 1000 else { throw TemplateError(.limit, "a date of more than 1000 characters") }
            case "E", "O": continue
            default: return value(of: scalar, flags).map { shaped($0, flags) } ?? source
            }
        }
        return source
    }

    private func shaped(_ text: String, _ flags: Flags) -> String {
        let text = flags.isUpper ? text.uppercased() : text
        guard text.count < flags.width else { return text }
        let padding = flags.isGiven ? flags.padding ?? " " : text.first?.isNumber == true ? "0" : " "
        return String(repeating: padding, count: flags.width - text.count) + text
    }

    /// What a directive stands for; nil for one that there is not.
    private func value(of directive: Unicode.Scalar, _ flags: Flags) -> String? {
        func number(_ value: Int, _ width: Int, padding standard: Character = "0") -> String {
            let digits = String(value)
            guard let padding = flags.isGiven ? flags.padding : standard else { return digits }
            return String(repeating: padding, count: max(0, width - digits.count)) + digits
        }
        func compound(_ format: StaticString) -> String? {
            (try? text(Text(stringLiteral: format)))?.string
        }
        let hour12 = (moment.hour + 11) % 12 + 1
        let half = moment.hour < 12 ? "AM" : "PM"
        let weekday = Self.days[moment.weekday]
        let month = Self.months[moment.month - 1]
        switch directive {
        case "a": return flags.swapsCase ? weekday.prefix(3).uppercased() : String(weekday.prefix(3))
        case "A": return flags.swapsCase ? weekday.uppercased() : weekday
        case "b", "h": return flags.swapsCase ? month.prefix(3).uppercased() : String(month.prefix(3))
        case "B": return flags.swapsCase ? month.uppercased() : month
        case "p": return flags.swapsCase ? half.lowercased() : half
        case "P": return half.lowercased()
        case "Y": return flags.isGiven ? number(moment.year, 4) : String(moment.year)
        case "C": return flags.isGiven ? number(moment.year / 100, 2) : String(moment.year / 100)
        case "y": return number(moment.year % 100, 2)
        case "G": return String(moment.isoWeek.year)
        case "g": return number(moment.isoWeek.year % 100, 2)
        case "V": return number(moment.isoWeek.week, 2)
        case "m": return number(moment.month, 2)
        case "d": return number(moment.day, 2)
        case "e": return number(moment.day, 2, padding: " ")
        case "j": return number(moment.dayOfYear, 3)
        case "H": return number(moment.hour, 2)
        case "k": return number(moment.hour, 2, padding: " ")
        case "I": return number(hour12, 2)
        case "l": return number(hour12, 2, padding: " ")
        case "M": return number(moment.minute, 2)
        case "S": return number(moment.second, 2)
        case "f":
            let digits = String(moment.microsecond)
            return String(repeating: "0", count: 6 - digits.count) + digits
        case "u": return String((moment.weekday + 6) % 7 + 1)
        case "w": return String(moment.weekday)
        case "U": return number((moment.dayOfYear + 6 - moment.weekday) / 7, 2)
        case "W": return number((moment.dayOfYear + 6 - (moment.weekday + 6) % 7) / 7, 2)
        case "c": return compound("%a %b %e %H:%M:%S %Y")
        case "D", "x": return compound("%m/%d/%y")
        case "F": return compound("%Y-%m-%d")
        case "T", "X": return compound("%H:%M:%S")
        case "R": return compound("%H:%M")
        case "r": return compound("%I:%M:%S %p")
        // A naive moment has no time zone.
        case "z", "Z": return ""
        case "n": return "\n"
        case "t": return "\t"
        case "%": return "%"
        default: return nil
        }
    }
}
