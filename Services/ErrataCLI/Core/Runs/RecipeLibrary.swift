import Foundation

/// The recipes that come with the project.
enum RecipeLibrary {
    /// Their names with a line on each, in the order in which they are told.
    static let all: [(name: String, summary: String)] = [
        ("edit", "EDIT as published: right and rectified chains, then key steps (KRSL), with adapters"),
        ("edit-full", "EDIT with all weights trained, beside the arms of the paper's tables"),
        ("supercorrect", "SuperCorrect as published: thought templates (HSFT), then cross-model DPO"),
        ("small-student", "both methods side by side, sized for a student of some 100 million parameters"),
        ("supercorrect-rounds", "SuperCorrect again in rounds while problems stream in, with a gate"),
        ("self-training", "the student's own right attempts, in rounds, with a gate"),
        ("plain", "fine-tuning on the problems' own solutions"),
    ]

    /// A recipe's text.
    ///
    /// - Parameters:
    ///   - name: The recipe's name.
    ///   - student: What takes the student's open place; it stays open where nil.
    ///   - dataset: What takes the data set's open places; they stay open where nil.
    /// - Returns: The recipe in YAML, with its comments.
    /// - Throws: ``CLIError`` that names the recipes that there are.
    static func text(_ name: String, student: String?, dataset: String?) throws -> String {
        let bytes: [UInt8]
        switch name {
        case "edit": bytes = PackageResources.edit_yaml
        case "edit-full": bytes = PackageResources.edit_full_yaml
        case "supercorrect": bytes = PackageResources.supercorrect_yaml
        case "supercorrect-rounds": bytes = PackageResources.supercorrect_rounds_yaml
        case "small-student": bytes = PackageResources.small_student_yaml
        case "self-training": bytes = PackageResources.self_training_yaml
        case "plain": bytes = PackageResources.plain_yaml
        default:
            throw CLIError("there is no recipe \(name); there are \(all.map(\.name).joined(separator: ", "))")
        }
        var text = String(decoding: bytes, as: UTF8.self)
        // A place in braces would be a map in YAML; left open it is a text that the submission names.
        text = text.replacing("{{student}}", with: student ?? "\"{{student}}\"")
        return text.replacing("{{dataset}}", with: dataset ?? "\"{{dataset}}\"")
    }
}
