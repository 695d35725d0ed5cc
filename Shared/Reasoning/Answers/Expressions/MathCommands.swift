/// What LaTeX's commands, and words and signs of plain text, mean to the scanner.
enum MathCommands {
    /// The token of a command, its backslash removed; nil for what is unknown.
    static func token(_ name: String) -> MathToken.Kind? { table[name] }

    /// Commands that only space or size what stands beside them.
    static let ignored: Set<String> = [
        "left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "biggl", "biggr", "Biggl",
        "Biggr", "middle", "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "mathstrut", "strut",
        "boxed", "fbox", "framebox", "mathbf", "boldsymbol", "bm", "mathit", "mathsf", "mathtt", "mathcal", "mathfrak",
        "mathscr", "bf", "it", "rm", "ensuremath", "underline", "hfill", "nonumber", "phantom", "vphantom", "hphantom",
        "therefore", "mathop", "mathord", "mathrel",
    ]

    /// Commands whose argument is a text.
    static let texts: Set<String> = [
        "text", "textbf", "textit", "textrm", "textsf", "texttt", "textup", "textnormal", "mbox", "hbox", "mathrm",
        "operatorname", "textsc", "emph", "mathnormal",
    ]

    /// Commands that stand for a blank.
    static let spaces: Set<String> = [
        "quad", "qquad", "enspace", "thinspace", "medspace", "thickspace", "hspace", "space",
    ]

    /// Marks over what follows, and what each makes of it: `\bar{x}` is another variable than `x`.
    ///
    /// An arrow, empty here, only says that a vector is one.
    static let accents = [
        "vec": "", "overrightarrow": "", "overleftarrow": "", "overleftrightarrow": "", "hat": "hat", "widehat": "hat",
        "bar": "bar", "overline": "bar", "tilde": "tilde", "widetilde": "tilde", "dot": "dot", "ddot": "ddot",
        "mathring": "ring", "check": "check", "widecheck": "check", "breve": "breve", "acute": "acute",
        "grave": "grave",
    ]

    /// Relations and operators whose sides cannot be exchanged, or which no value is computed with.
    static let operators: Set<String> = [
        "subset", "subseteq", "subsetneq", "supset", "supseteq", "notin", "ni", "to", "rightarrow", "leftarrow",
        "leftrightarrow", "longrightarrow", "mapsto", "implies", "impliedby", "Rightarrow", "Leftarrow",
        "Leftrightarrow", "iff", "ll", "gg", "prec", "succ", "preceq", "succeq", "propto", "vdash", "models", "neg",
        "lnot", "oplus", "otimes", "nmid", "equiv",
    ]

    /// Signs of logic, which may also stand between relations.
    static let connectives: Set<String> = ["land", "lor", "wedge", "vee"]

    private static let greek = [
        "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
        "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega", "Gamma",
        "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega", "ell", "hbar",
    ]

    private static let table: [String: MathToken.Kind] = {
        var table: [String: MathToken.Kind] = [
            "frac": .fraction, "dfrac": .fraction, "tfrac": .fraction, "cfrac": .fraction, "sqrt": .root,
            "binom": .binomial, "dbinom": .binomial, "tbinom": .binomial,
            "cdot": .times, "times": .times, "ast": .times, "bullet": .times, "div": .slash, "over": .slash,
            "pm": .plusMinus, "mp": .minusPlus, "pi": .constant(.pi), "infty": .constant(.infinity),
            "le": .relation(.lessOrEqual), "leq": .relation(.lessOrEqual), "leqslant": .relation(.lessOrEqual),
            "leqq": .relation(.lessOrEqual), "ge": .relation(.greaterOrEqual), "geq": .relation(.greaterOrEqual),
            "geqslant": .relation(.greaterOrEqual), "geqq": .relation(.greaterOrEqual), "lt": .relation(.less),
            "gt": .relation(.greater), "ne": .relation(.notEqual), "neq": .relation(.notEqual),
            "approx": .relation(.approximately), "simeq": .relation(.approximately),
            "approxeq": .relation(.approximately), "doteq": .relation(.approximately), "eq": .relation(.equal),
            "colon": .colon, "cup": .union, "bigcup": .union, "cap": .intersection, "setminus": .without,
            "backslash": .without, "smallsetminus": .without, "in": .element, "isin": .element, "emptyset": .emptySet,
            "varnothing": .emptySet, "circ": .degree, "degree": .degree, "prime": .prime, "mid": .bar, "vert": .bar,
            "lvert": .bar, "rvert": .bar, "Vert": .bar, "langle": .open(.angle), "rangle": .close(.angle),
            "lfloor": .open(.floor), "rfloor": .close(.floor), "lceil": .open(.ceiling), "rceil": .close(.ceiling),
            "lbrace": .open(.brace), "rbrace": .close(.brace), "lbrack": .open(.square), "rbrack": .close(.square),
            "lparen": .open(.round), "rparen": .close(.round), "ldots": .ellipsis, "dots": .ellipsis,
            "cdots": .ellipsis, "dotsc": .ellipsis, "dotsb": .ellipsis, "land": .conjunction(isOr: false),
            "wedge": .conjunction(isOr: false), "lor": .conjunction(isOr: true), "vee": .conjunction(isOr: true),
            "pounds": .currency("\u{A3}"), "euro": .currency("euro"), "textdollar": .currency("dollar"),
            "percent": .percent, "newline": .rowBreak, "cr": .rowBreak,
        ]
        for name in greek { table[name] = .symbol(name) }
        for (name, plain) in [("varepsilon", "epsilon"), ("vartheta", "theta"), ("varphi", "phi")] {
            table[name] = .symbol(plain)
        }
        for name in FunctionName.allCases where name != .sqrt && name != .cbrt {
            table[name.rawValue] = .function(name)
        }
        table["ceil"] = nil
        table["floor"] = nil
        table["abs"] = nil
        return table
    }()

    /// Known commands, longest first: `\quadx` is `\quad x`, and `\cdotb` is `\cdot b`.
    private static let prefixes = (Array(table.keys) + spaces).filter { $0.utf8.count >= 3 }.sorted {
        ($0.utf8.count, $0) > ($1.utf8.count, $1)
    }

    /// The longest known command that an unknown one starts with.
    static func prefix(of name: String) -> String? { prefixes.first { name.hasPrefix($0) } }

    /// What a run of letters of plain text means, where it is more than letters.
    static func plainToken(_ word: String) -> MathToken.Kind? {
        switch word {
        case "and", "And", "AND": .conjunction(isOr: false)
        case "or", "Or", "OR": .conjunction(isOr: true)
        case "pi", "Pi", "PI": .constant(.pi)
        case "infinity", "inf", "infty", "Infinity", "oo": .constant(.infinity)
        case "percent", "pct", "Percent", "percents": .percent
        case "degrees", "degree", "deg", "Degrees": .degree
        case "dollars", "dollar", "Dollars": .currency("dollar")
        case "USD", "usd": .currency("USD")
        case "euros", "euro", "EUR": .currency("euro")
        case "GBP": .currency("\u{A3}")
        case "won", "KRW": .currency("won")
        case "cents", "cent": .currency("cent")
        case "yuan", "RMB", "CNY": .currency("yuan")
        case "yen", "JPY": .currency("yen")
        case "rupees", "rupee", "INR", "Rs": .currency("rupee")
        case "union": .union
        case "negative", "minus": .minus
        default: FunctionName(rawValue: word).map { .function($0) }
        }
    }

    /// Codes of currencies, which stand beside a number; others are told by ``plainToken(_:)``.
    static let currencyCodes: Set<String> = [
        "AED", "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "HKD", "HUF", "IDR", "ILS", "KES", "MXN", "MYR", "NGN", "NOK",
        "NZD", "PHP", "PLN", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "VND", "ZAR",
    ]

    /// Letters before a dollar sign that say whose dollars they are.
    static let dollars = [
        "US": "USD", "HK": "HKD", "A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "NZ": "NZD", "S": "SGD",
        "SG": "SGD",
        "NT": "TWD", "R": "BRL", "MX": "MXN",
    ]

    /// What a sign that is no letter of the Latin alphabet is written for, in LaTeX or ASCII.
    static func plain(_ scalar: Unicode.Scalar) -> String? {
        switch scalar.value {
        case 0xFF01...0xFF5E: Unicode.Scalar(scalar.value - 0xFEE0).map { String(Character($0)) }
        case 0x2212, 0x2010...0x2015, 0xFE63, 0x207B, 0x02D7: scalar.value == 0x207B ? "^{-}" : "-"
        case 0xD7, 0x2217, 0x22C5, 0xB7, 0x2219, 0x2022, 0x2715, 0x2A2F: "\\cdot "
        case 0xF7: "\\div "
        case 0x2044, 0x2215: "/"
        case 0xA0, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: "\\,"
        case 0x200B...0x200F, 0x2060...0x2064, 0xFEFF, 0xFE0E, 0xFE0F: ""
        case 0x221A: "\\sqrt "
        case 0x221B: "\\sqrt[3]"
        case 0x3C0, 0x1D70B, 0x1D6D1: "\\pi "
        case 0x221E: "\\infty "
        case 0x2264, 0x2A7D: "\\le "
        case 0x2265, 0x2A7E: "\\ge "
        case 0x2260: "\\ne "
        case 0x2248, 0x2243, 0x2245: "\\approx "
        case 0x222A: "\\cup "
        case 0x2229: "\\cap "
        case 0x2216: "\\setminus "
        case 0x2208: "\\in "
        case 0x2205: "\\emptyset "
        case 0x211D: "\\mathbb{R}"
        case 0xB1: "\\pm "
        case 0x2213: "\\mp "
        case 0xB0, 0xBA: "\\degree "
        case 0x2018, 0x2019, 0x2032, 0x2BC: "'"
        case 0x201C, 0x201D, 0xAB, 0xBB: "\""
        case 0x2026: "\\ldots "
        case 0x27E8, 0x2329: "\\langle "
        case 0x27E9, 0x232A: "\\rangle "
        case 0x20AC: "\\euro "
        case 0xA3: "\\pounds "
        case 0xB5: "\\mu "
        case 0x3D5: "\\phi "
        case 0x3F5: "\\epsilon "
        case 0x391...0x3C9: greekLetter(scalar.value).map { "\\\($0) " }
        case 0x2102: "\\mathbb{C}"
        case 0x2115: "\\mathbb{N}"
        case 0x211A: "\\mathbb{Q}"
        case 0x2124: "\\mathbb{Z}"
        case 0x221C: "\\sqrt[4]"
        case 0x2236: ":"
        case 0x2261: "\\equiv "
        case 0x0660...0x0669: Unicode.Scalar(scalar.value - 0x0660 + 0x30).map { String(Character($0)) }
        case 0x06F0...0x06F9: Unicode.Scalar(scalar.value - 0x06F0 + 0x30).map { String(Character($0)) }
        case 0x066B: "."
        case 0x066C: ","
        case 0x2227: "\\land "
        case 0x2228: "\\lor "
        case 0x2282: "\\subset "
        case 0x2283: "\\supset "
        case 0x2286: "\\subseteq "
        case 0x2287: "\\supseteq "
        case 0x2192: "\\to "
        case 0x21D2: "\\Rightarrow "
        case 0xAC: "\\neg "
        case 0x2218: "\\circ "
        default: fraction(scalar).map { "\\frac{\($0.0)}{\($0.1)}" }
        }
    }

    /// The command of a letter of the Greek alphabet; nil for those that look like Latin ones.
    private static func greekLetter(_ value: UInt32) -> String? {
        let small = [
            "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
            "xi", "", "", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
        ]
        if value >= 0x3B1 { return small[Int(value - 0x3B1)].isEmpty ? nil : small[Int(value - 0x3B1)] }
        let large: [UInt32: String] = [
            0x393: "Gamma", 0x394: "Delta", 0x398: "Theta", 0x39B: "Lambda", 0x39E: "Xi", 0x3A0: "Pi", 0x3A3: "Sigma",
            0x3A5: "Upsilon", 0x3A6: "Phi", 0x3A8: "Psi", 0x3A9: "Omega",
        ]
        return large[value]
    }

    private static func fraction(_ scalar: Unicode.Scalar) -> (Int, Int)? {
        switch scalar.value {
        case 0xBC: (1, 4)
        case 0xBD: (1, 2)
        case 0xBE: (3, 4)
        case 0x2150: (1, 7)
        case 0x2151: (1, 9)
        case 0x2152: (1, 10)
        case 0x2153: (1, 3)
        case 0x2154: (2, 3)
        case 0x2155...0x2158: (Int(scalar.value) - 0x2154, 5)
        case 0x2159: (1, 6)
        case 0x215A: (5, 6)
        case 0x215B: (1, 8)
        case 0x215C: (3, 8)
        case 0x215D: (5, 8)
        case 0x215E: (7, 8)
        default: nil
        }
    }

    /// The digit, sign or letter that a raised one stands for.
    static func superscript(_ scalar: Unicode.Scalar) -> Character? {
        switch scalar.value {
        case 0x2070: "0"
        case 0xB9: "1"
        case 0xB2: "2"
        case 0xB3: "3"
        case 0x2074...0x2079: Unicode.Scalar(scalar.value - 0x2070 + 0x30).map { Character($0) }
        case 0x207A: "+"
        case 0x207B: "-"
        case 0x207F: "n"
        case 0x02E3: "x"
        default: nil
        }
    }

    /// The digit that a lowered one stands for.
    static func subscripted(_ scalar: Unicode.Scalar) -> Character? {
        (0x2080...0x2089).contains(scalar.value)
            ? Unicode.Scalar(scalar.value - 0x2080 + 0x30).map { Character($0) } : nil
    }
}
