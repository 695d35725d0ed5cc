/// Finds traces that show that their author saw the reference solution.
public enum LeakFilter {
    private static let subjects: Set<String> = [
        "reference", "references", "gold", "given", "provided", "official", "ground", "model", "sample",
    ]
    private static let objects: Set<String> = [
        "solution", "solutions", "answer", "answers", "truth", "hint",
    ]

    /// Whether a text mentions a reference solution, a provided answer, the ground truth, a hint and the like.
    ///
    /// Linear in the text's length.
    public static func mentionsReference(_ text: String) -> Bool {
        let words = text.lowercased().split { !$0.isLetter }.map(String.init)
        for (index, word) in words.enumerated() {
            if word == "groundtruth" { return true }
            guard subjects.contains(word) else { continue }
            for next in words[(index + 1)...].prefix(2) where objects.contains(next) { return true }
        }
        return false
    }
}
