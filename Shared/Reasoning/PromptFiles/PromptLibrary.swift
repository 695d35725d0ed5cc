public import Foundation

/// The prompts and worked examples that the teacher is asked with: the shipped ones, or a user's in their place.
///
/// A user's folder holds files `<prompt-id>.md` in the layout of ``Prompt`` and `demonstrations.jsonl` in that of
/// ``WorkedDemonstration``; what it does not hold is taken from the shipped ones.
public struct PromptLibrary: Sendable, Hashable {
    /// The prompts and examples that come with the project.
    public static let shipped = PromptLibrary()
    /// The name of the file of worked examples.
    public static let demonstrationsFile = "demonstrations.jsonl"
    /// The longest file that is read, in bytes.
    public static let maximumFileLength = 1 << 16

    private var replaced: [PromptID: Prompt] = [:]
    private var examples: [WorkedDemonstration]?

    private init() {}

    /// Reads a user's folder; names that begin with a dot are passed over.
    ///
    /// A user's prompt has as its version that of its file, `+`, and the first 8 hexadecimal digits of a hash of its
    /// content (with the worked examples where it shows them), so that an edit shows in the traces also where the
    /// version was left. A file that is the same as the shipped one counts as that.
    ///
    /// - Throws: ``ReasoningError`` that names the file, what is wrong with it and what to do.
    public init(folder: URL) throws {
        let path = folder.path(percentEncoded: false)
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw ReasoningError(.prompt, "\(path) is no folder that can be read; make it with `errata prompts export`")
        }
        var examplesText = ""
        if names.contains(Self.demonstrationsFile) {
            let (place, text) = try Self.read(Self.demonstrationsFile, in: folder)
            if text != Self.shippedDemonstrations {
                examples = try Self.naming(place) { try WorkedDemonstration.parse(text) }
                examplesText = text
            }
        }
        for name in names where name != Self.demonstrationsFile {
            guard name.hasSuffix(".md"), let id = PromptID(rawValue: String(name.dropLast(3))) else {
                let known = PromptID.allCases.map { "\($0.rawValue).md" } + [Self.demonstrationsFile]
                throw ReasoningError(
                    .prompt,
                    "\(folder.appending(path: name).path(percentEncoded: false)) is no prompt; rename it or take it "
                        + "away: the names are \(known.joined(separator: ", "))"
                )
            }
            let (place, text) = try Self.read(name, in: folder)
            guard text != Self.file(id) else { continue }
            var prompt = try Self.naming(place) { try Prompt(id: id, file: text) }
            Self.mark(&prompt, content: text + (prompt.showsExamples ? examplesText : ""))
            replaced[id] = prompt
        }
        guard examples != nil else { return }
        // The shipped prompts that show the examples are other prompts with a user's examples.
        for id in PromptID.allCases where replaced[id] == nil {
            var prompt = try Self.shipped.prompt(id)
            guard prompt.showsExamples else { continue }
            Self.mark(&prompt, content: Self.file(id) + examplesText)
            replaced[id] = prompt
        }
    }

    /// A prompt.
    ///
    /// - Throws: ``ReasoningError`` where a shipped file is malformed, which a test keeps from happening.
    public func prompt(_ id: PromptID) throws -> Prompt {
        try replaced[id] ?? Prompt(id: id, file: Self.file(id))
    }

    /// The worked examples, in the order in which they are shown; three where they are the shipped ones.
    public func demonstrations() throws -> [WorkedDemonstration] {
        try examples ?? WorkedDemonstration.parse(Self.shippedDemonstrations)
    }

    /// The shipped files by name, as a start for a folder of one's own.
    public static var files: [(name: String, text: String)] {
        PromptID.allCases.map { ("\($0.rawValue).md", file($0)) } + [(demonstrationsFile, shippedDemonstrations)]
    }

    // MARK: Files

    private static func mark(_ prompt: inout Prompt, content: String) {
        prompt.version += "+" + StableHash.hexadecimal(of: content).prefix(8)
    }

    private static func read(_ name: String, in folder: URL) throws -> (place: String, text: String) {
        let file = folder.appending(path: name)
        let place = file.path(percentEncoded: false)
        guard let data = try? Data(contentsOf: file) else {
            throw ReasoningError(.prompt, "\(place) cannot be read; check that it is a file and who may read it")
        }
        guard data.count <= maximumFileLength else {
            throw ReasoningError(.prompt, "\(place) has \(data.count) bytes; shorten it to \(maximumFileLength)")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw ReasoningError(.prompt, "\(place) is not in UTF-8; save it as UTF-8")
        }
        return (place, text)
    }

    private static func naming<Value>(_ place: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as ReasoningError {
            throw ReasoningError(error.code, "\(place): \(error.message)")
        }
    }

    private static var shippedDemonstrations: String {
        String(decoding: PackageResources.demonstrations_jsonl, as: UTF8.self)
    }

    private static func file(_ id: PromptID) -> String {
        let bytes =
            switch id {
            case .chainOfThought: PackageResources.chain_of_thought_md
            case .hierarchicalThought: PackageResources.hierarchical_thought_md
            case .templateExtraction: PackageResources.template_extraction_md
            case .inspectTemplate: PackageResources.inspect_template_md
            case .inspectCorrection: PackageResources.inspect_correction_md
            case .corrupt: PackageResources.corrupt_md
            case .rectify: PackageResources.rectify_md
            case .classifyMistake: PackageResources.classify_mistake_md
            case .groundedCorrection: PackageResources.grounded_correction_md
            case .correction: PackageResources.correction_md
            case .studentChain: PackageResources.student_chain_md
            }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Prompt {
    /// Whether the prompt shows the library's worked examples.
    ///
    /// CCP's are drawn from rectified pairs and only filled up with them, so they count for it as well.
    fileprivate var showsExamples: Bool { places.contains("demonstrations") }
}
