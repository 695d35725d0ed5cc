import Foundation

extension ReportDocument {
    /// What is needed to run it again.
    private struct Configuration: Encodable {
        var plan: ReproductionPlan
        var table: ReproductionTable
    }

    /// Plan and table as JSON.
    var configurationSection: Markup? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Infinite or undefined rates have no JSON form; as strings they do not cost the reader the rest.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "infinity",
            negativeInfinity: "-infinity",
            nan: "nan"
        )
        let json: String
        do {
            let data = try encoder.encode(Configuration(plan: results.plan, table: results.table))
            json = String(decoding: data, as: UTF8.self)
        } catch {
            json = "The configuration cannot be written as JSON: \(error)"
        }
        let training = results.rows.flatMap(\.seeds).reduce(0) { $0 + $1.trainSeconds }
        return """
            <p>Seeds \(Figures.list(results.plan.seeds.map(String.init))); the search used seed \
            \(String(results.plan.searchSeed)). Computing took \(Figures.duration(results.seconds)) on one thread a student, of which \
            \(Figures.duration(training)) were training of the reported arms.</p>
            <details><summary>Plan and table as JSON</summary>
            <pre>\(json)</pre>
            </details>
            """
    }
}
