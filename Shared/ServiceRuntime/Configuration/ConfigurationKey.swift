/// A declared configuration key whatever its type, for tables and checks.
public protocol AnyConfigurationKey: Sendable {
    /// The name of the environment variable, `ERRATA_…`.
    var name: String { get }
    /// The type, as the table of keys shows it.
    var typeName: String { get }
    /// The unit of a number, for example `tokens`.
    var unit: String? { get }
    /// The default as text; nil when the key must be given or is optional.
    var defaultText: String? { get }
    /// Whether the service cannot start without it.
    var isRequired: Bool { get }
    /// Whether the value, or a part of it, must not be seen; then `<name>_FILE` can name a file that holds it.
    var isSecret: Bool { get }
    /// What the key is for, in a line.
    var documentation: String { get }
    /// What is wrong with a text, or nil when it is fine.
    func fault(in text: String) -> String?
    /// What may be seen of a text that is fine.
    func shown(_ text: String) -> String
    /// The parts of a text that must not be seen.
    func secrets(in text: String) -> [String]
}

/// A typed configuration key with its unit, default and documentation.
public struct ConfigurationKey<Value: ConfigurationValue>: AnyConfigurationKey {
    /// The name of the environment variable, `ERRATA_…`.
    public let name: String
    /// The unit of a number.
    public let unit: String?
    /// The value when none is given.
    public let defaultValue: Value?
    /// Whether the service cannot start without it.
    public let isRequired: Bool
    /// What the key is for, in a line.
    public let documentation: String
    private let rule: @Sendable (Value) -> String?

    /// Declares a key with a default.
    ///
    /// The rule says what is wrong with a value, or nil when it is fine.
    public init(
        _ name: String,
        default defaultValue: Value,
        unit: String? = nil,
        _ documentation: String,
        rule: @escaping @Sendable (Value) -> String? = { _ in nil }
    ) {
        self.name = name
        self.unit = unit
        self.defaultValue = defaultValue
        isRequired = false
        self.documentation = documentation
        self.rule = rule
    }

    /// Declares a key without a default, which must be given unless it is optional.
    ///
    /// The rule says what is wrong with a value, or nil when it is fine.
    public init(
        _ name: String,
        optional: Bool,
        unit: String? = nil,
        _ documentation: String,
        rule: @escaping @Sendable (Value) -> String? = { _ in nil }
    ) {
        self.name = name
        self.unit = unit
        defaultValue = nil
        isRequired = !optional
        self.documentation = documentation
        self.rule = rule
    }

    /// The type, as the table of keys shows it.
    public var typeName: String { Value.configurationType }
    /// The default as text.
    public var defaultText: String? { defaultValue?.configurationText }
    /// Whether the value, or a part of it, must not be seen.
    public var isSecret: Bool { Value.mayHoldSecrets }

    /// What is wrong with a text, or nil when it is fine.
    public func fault(in text: String) -> String? {
        guard let value = Value(configurationText: text) else { return "is not of the type: \(typeName)" }
        return rule(value)
    }

    /// What may be seen of a text that is fine.
    public func shown(_ text: String) -> String { Value(configurationText: text)?.shownText ?? "" }

    /// The parts of a text that must not be seen.
    public func secrets(in text: String) -> [String] { Value(configurationText: text)?.secretTexts ?? [] }

    func value(from text: String) -> Value? { Value(configurationText: text) }
}

extension ConfigurationKey where Value: Comparable {
    /// Declares a key with a default whose values lie in a range.
    public init(
        _ name: String,
        default defaultValue: Value,
        in range: ClosedRange<Value>,
        unit: String? = nil,
        _ documentation: String
    ) {
        self.init(name, default: defaultValue, unit: unit, documentation) { Self.fault($0, in: range) }
    }

    /// Declares a key without a default, which must be given unless it is optional, whose values lie in a range.
    public init(
        _ name: String,
        optional: Bool,
        in range: ClosedRange<Value>,
        unit: String? = nil,
        _ documentation: String
    ) {
        self.init(name, optional: optional, unit: unit, documentation) { Self.fault($0, in: range) }
    }

    private static func fault(_ value: Value, in range: ClosedRange<Value>) -> String? {
        guard !range.contains(value) else { return nil }
        return "must be \(range.lowerBound.configurationText) to \(range.upperBound.configurationText)"
    }
}
