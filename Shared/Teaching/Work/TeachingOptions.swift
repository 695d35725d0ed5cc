/// How hard the teacher is worked.
public struct TeachingOptions: Sendable, Hashable {
    /// How often the teacher is asked before a trace is sent on as not verified.
    public var attempts: Int
    /// How often an inspector may send a template or a correction back; 0 leaves the inspector out.
    public var inspectorRounds: Int
    /// Whether the teacher is asked what kind of mistake each dual pair shows (EDIT, table 29).
    ///
    /// Default true; else, and where its answers cannot be read, the numbers of both chains say it.
    public var classifiesMistakes: Bool
    /// The temperature of the first attempt.
    ///
    /// Default 0.2, as EDIT's published settings have it.
    public var temperature: Double
    /// What is added to the temperature at each further attempt.
    public var temperatureStep: Double
    /// The highest temperature.
    public var maximumTemperature: Double
    /// The temperature of the first attempt of a role, in place of ``temperature``.
    public var temperatures: [TeacherRole: Double]

    /// Creates options.
    public init(
        attempts: Int = 4,
        inspectorRounds: Int = 3,
        classifiesMistakes: Bool = true,
        temperature: Double = 0.2,
        temperatureStep: Double = 0.2,
        maximumTemperature: Double = 1.5,
        temperatures: [TeacherRole: Double] = [:]
    ) {
        self.attempts = max(1, attempts)
        self.inspectorRounds = max(0, inspectorRounds)
        self.classifiesMistakes = classifiesMistakes
        self.temperature = temperature
        self.temperatureStep = temperatureStep
        self.maximumTemperature = maximumTemperature
        self.temperatures = temperatures
    }

    /// The temperature of a role's attempt, from 0.
    func temperature(_ role: TeacherRole, attempt: Int) -> Double {
        let first = temperatures[role] ?? temperature
        // Rounded, so that sums such as 0.2 + 0.4 do not show in traces and keys.
        let value = min(max(first, maximumTemperature), first + temperatureStep * Double(attempt))
        return (value * 1000).rounded() / 1000
    }
}
