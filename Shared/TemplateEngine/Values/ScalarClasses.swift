/// What Python's `str` methods and `re` ask of a character.
extension Unicode.Scalar {
    /// `str.isspace`: what `strip` and `split` remove and what `\s` matches.
    var isPythonSpace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// What `str.splitlines` splits at.
    var isPythonLineBreak: Bool {
        switch value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// `str.isprintable`: `repr` escapes every other character.
    var isPythonPrintable: Bool {
        if value < 0x7F { return value >= 0x20 }
        return switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            false
        default: true
        }
    }

    var isPythonAlpha: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    var isPythonDecimal: Bool { properties.numericType == .decimal }

    var isPythonDigit: Bool { properties.numericType == .decimal || properties.numericType == .digit }

    var isPythonNumeric: Bool { properties.numericType != nil }

    var isPythonAlphanumeric: Bool { isPythonAlpha || isPythonNumeric }

    /// What `\w` matches.
    var isPythonWord: Bool { self == "_" || isPythonAlphanumeric }

    var isPythonTitlecase: Bool { properties.generalCategory == .titlecaseLetter }

    /// May begin an identifier.
    var isIdentifierStart: Bool { self == "_" || (isASCII ? properties.isAlphabetic : properties.isXIDStart) }

    /// May stand inside an identifier.
    var isIdentifierPart: Bool {
        switch value {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        case ..<0x80: false
        default: properties.isXIDContinue
        }
    }
}
