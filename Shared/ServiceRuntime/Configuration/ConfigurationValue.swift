public import Foundation
import KafkaClient
import PostgresClient

/// A type that a configuration value can have.
public protocol ConfigurationValue: Sendable {
    /// The type as the table of keys shows it.
    static var configurationType: String { get }

    /// Reads the value from its text; nil when the text is malformed.
    init?(configurationText: String)

    /// The value as text, as it is read again.
    var configurationText: String { get }

    /// Whether values of the type may hold something that must not be seen; then a key has a form with a file.
    static var mayHoldSecrets: Bool { get }

    /// The value as it may be seen, for `--check` and the start-up log.
    var shownText: String { get }

    /// The parts that must not be seen, for the log to hold back.
    var secretTexts: [String] { get }
}

extension ConfigurationValue {
    /// Nothing to hide.
    public static var mayHoldSecrets: Bool { false }
    /// The whole value.
    public var shownText: String { configurationText }
    /// Nothing to hide.
    public var secretTexts: [String] { [] }
}

extension String: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "text" }
    /// Any text is a value.
    public init?(configurationText: String) { self = configurationText }
    /// The text itself.
    public var configurationText: String { self }
}

extension Int: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "whole number" }
    /// Reads decimal digits with an optional sign.
    public init?(configurationText: String) { self.init(configurationText) }
    /// Decimal digits.
    public var configurationText: String { String(self) }
}

extension Double: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "number" }
    /// Reads a finite number.
    public init?(configurationText: String) {
        guard let value = Double(configurationText), value.isFinite else { return nil }
        self = value
    }
    /// The shortest text that gives the number back.
    public var configurationText: String { "\(self)" }
}

extension Bool: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "true or false" }
    /// Reads `true`, `false`, `yes`, `no`, `on`, `off`, `1` or `0`.
    public init?(configurationText: String) {
        switch configurationText.lowercased() {
        case "true", "yes", "on", "1": self = true
        case "false", "no", "off", "0": self = false
        default: return nil
        }
    }
    /// `true` or `false`.
    public var configurationText: String { self ? "true" : "false" }
}

extension URL: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "URL" }
    /// Reads a URL that has a scheme.
    public init?(configurationText: String) {
        guard let url = URL(string: configurationText), url.scheme != nil else { return nil }
        self = url
    }
    /// The URL's text.
    public var configurationText: String { absoluteString }
}

extension Duration: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "duration" }

    /// Reads a number with a unit: `250ms`, `1.5s`, `10m`, `2h`; at least 0 and at most a year.
    public init?(configurationText: String) {
        let digits = configurationText.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let scale: Double
        switch configurationText.dropFirst(digits.count) {
        case "ms": scale = 0.001
        case "s": scale = 1
        case "m": scale = 60
        case "h": scale = 3600
        default: return nil
        }
        guard let number = Double(digits), number.isFinite, number * scale <= 31_536_000 else { return nil }
        self = .milliseconds(Int64((number * scale * 1000).rounded()))
    }

    /// The shortest of hours, minutes, seconds and milliseconds that is exact.
    public var configurationText: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        for (unit, size) in [("h", Int64(3_600_000)), ("m", 60_000), ("s", 1000)]
        where milliseconds != 0 && milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    /// The duration in seconds.
    public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension Array: ConfigurationValue where Element: ConfigurationValue {
    /// The type's name.
    public static var configurationType: String { "list of \(Element.configurationType), by comma" }
    /// Reads elements between commas; blanks around them are dropped, and no text is no element.
    public init?(configurationText: String) {
        guard !configurationText.trimmingCharacters(in: .whitespaces).isEmpty else {
            self = []
            return
        }
        var values: [Element] = []
        for part in configurationText.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Element(configurationText: part.trimmingCharacters(in: .whitespaces)) else { return nil }
            values.append(value)
        }
        self = values
    }
    /// The elements with commas between them.
    public var configurationText: String { map(\.configurationText).joined(separator: ",") }
}

extension ConfigurationValue where Self: RawRepresentable, RawValue == String, Self: CaseIterable {
    /// The choices.
    public static var configurationType: String { allCases.map(\.rawValue).joined(separator: " | ") }
    /// Reads a choice.
    public init?(configurationText: String) { self.init(rawValue: configurationText) }
    /// The choice.
    public var configurationText: String { rawValue }
}

/// A list of settings that is handed through to librdkafka: `name=value;name=value`, or one a line.
///
/// Passwords may be among them: they are seen as `***`, and the list can be given as a file.
public struct PassThroughSettings: ConfigurationValue, Hashable {
    /// The type's name.
    public static var configurationType: String { "name=value list, by semicolon or line" }

    /// The settings by name.
    public var values: [String: String]

    /// Makes a list.
    public init(_ values: [String: String] = [:]) { self.values = values }

    /// Reads the list; a name that stands twice makes it malformed.
    public init?(configurationText: String) {
        values = [:]
        for part in configurationText.split(whereSeparator: { $0 == ";" || $0.isNewline }) {
            let text = part.trimmingCharacters(in: .whitespaces)
            if text.isEmpty { continue }
            guard let mark = text.firstIndex(of: "="), mark != text.startIndex else { return nil }
            let name = text[..<mark].trimmingCharacters(in: .whitespaces)
            let value = text[text.index(after: mark)...].trimmingCharacters(in: .whitespaces)
            guard values.updateValue(value, forKey: name) == nil else { return nil }
        }
    }

    /// The list, sorted by name.
    public var configurationText: String {
        values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ";")
    }

    /// Passwords may be among the settings.
    public static var mayHoldSecrets: Bool { true }

    /// The list with `***` for passwords and keys.
    public var shownText: String {
        Self(values.reduce(into: [:]) { $0[$1.key] = KafkaConfiguration.isSecret($1.key) ? "***" : $1.value })
            .configurationText
    }

    /// The passwords and keys.
    public var secretTexts: [String] { values.filter { KafkaConfiguration.isSecret($0.key) }.map(\.value) }
}

/// The address of a database: a libpq URL or connection string, which may hold a password.
public struct DatabaseAddress: ConfigurationValue, Hashable {
    /// The type's name.
    public static var configurationType: String { "libpq URL" }

    /// The address as it was given.
    public let configurationText: String

    /// Takes any text; ``PostgresClient/PostgresConfiguration`` reads it.
    public init(configurationText: String) { self.configurationText = configurationText }

    /// A password may be in it.
    public static var mayHoldSecrets: Bool { true }

    /// The address without a password; nothing of one that cannot be read.
    public var shownText: String {
        (try? PostgresConfiguration(url: configurationText))?.url(includingPassword: false) ?? "<not readable>"
    }

    /// The whole address.
    public var secretTexts: [String] { [configurationText] }
}

/// A value that must not be seen: it shows itself as `<secret>` everywhere and is read with ``reveal()``.
public struct Secret: ConfigurationValue, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The type's name.
    public static var configurationType: String { "secret" }

    private let value: String

    /// Hides a value.
    public init(_ value: String) { self.value = value }
    /// Hides a value.
    public init?(configurationText: String) { value = configurationText }

    /// The value itself, to be handed to the one who needs it.
    public func reveal() -> String { value }

    /// `<secret>`.
    public var configurationText: String { "<secret>" }
    /// Always.
    public static var mayHoldSecrets: Bool { true }
    /// `<secret>`.
    public var shownText: String { "<secret>" }
    /// The value.
    public var secretTexts: [String] { [value] }
    /// `<secret>`.
    public var description: String { "<secret>" }
    /// `<secret>`.
    public var debugDescription: String { "<secret>" }
    /// Nothing to reflect.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
