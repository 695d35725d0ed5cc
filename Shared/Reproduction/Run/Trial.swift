import Foundation
import Reasoning

/// One training of one arm for one seed at one rate, with its scores: what is kept so that nothing is done twice.
struct Trial: Sendable, Codable {
    /// What decides the outcome: plan, arm, seed, rate, the seed's data, the roll-out, and the parent's weights.
    var fingerprint: String
    /// The trained student in the model store.
    var modelHash: String
    /// Tokens of this stage.
    var tokens = 0
    /// Distinct examples of this stage.
    var examples = 0
    /// The mean loss of the last updates.
    var loss: Double?
    /// Seconds of training.
    var trainSeconds = 0.0
    /// Seconds of training and scoring.
    var seconds = 0.0
    /// The scores by suite.
    var suites: [String: SuiteResult] = [:]
    /// How well wrong attempts are corrected.
    var correction: CorrectionResult?
    /// What decides that.
    var correctionFingerprint: String?
    /// What the student wrote for the first problems of the test.
    var outputs: [String] = []
}

/// Results as JSON files in a folder, each under the name of what it is a result of.
struct ResultFiles: Sendable {
    let folder: URL

    init(folder: URL) throws {
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func url(_ name: String) -> URL { folder.appending(path: name + ".json") }

    /// The result under a name; nil where there is none that can be read.
    func read<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) -> Value? {
        (try? Data(contentsOf: url(name))).flatMap { try? JSONDecoder().decode(type, from: $0) }
    }

    /// Keeps a result, whole or not at all.
    func write(_ value: some Encodable, _ name: String) throws {
        let url = url(name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        try encoder.encode(value).write(to: url, options: .atomic)
    }
}

/// A short name of everything that a value says.
func fingerprint(_ parts: (any Encodable)...) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let texts = try parts.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    return StableHash.hexadecimal(of: texts.joined(separator: "\n"))
}
