public import Reasoning
public import Schemas

/// Where the right and wrong chains come from that CCP shows as examples.
public protocol DemonstrationSource: Sendable {
    /// The examples for a problem: the same each time that it is asked about.
    func corruption(for problem: ProblemEvent) async throws -> [CorruptionDemonstration]
}

/// The examples that come with the project.
public struct ShippedDemonstrations: DemonstrationSource {
    /// Creates the source.
    public init() {}

    /// The same three for every problem.
    public func corruption(for problem: ProblemEvent) -> [CorruptionDemonstration] { Demonstrations.corruption }
}

/// Pairs that show the teacher what a likely slip is; written for this project.
enum Demonstrations {
    /// A slip of reading, one of calculation and one of order, as CCP's three examples.
    static let corruption = [
        CorruptionDemonstration(
            question: "A ferry carries 24 cars on each trip. It makes 5 trips a day and on Sunday 2 trips less. How "
                + "many cars does it carry on Sunday?",
            right: "On Sunday it makes 5 - 2 = 3 trips.\nIt carries 24 * 3 = 72 cars.\nThe answer is 72.",
            wrong: "On Sunday it makes 5 + 2 = 7 trips.\nIt carries 24 * 7 = 168 cars.\nThe answer is 168."
        ),
        CorruptionDemonstration(
            question: "Mira has 3 jars with 18 buttons in each. She sews on 16 buttons. How many buttons are left?",
            right: "She has 3 * 18 = 54 buttons.\nThere are 54 - 16 = 38 buttons left.\nThe answer is 38.",
            wrong: "She has 3 * 18 = 44 buttons.\nThere are 44 - 16 = 28 buttons left.\nThe answer is 28."
        ),
        CorruptionDemonstration(
            question: "A rope of 60 metres is cut in half, and 7 metres of one half are thrown away. How long is what "
                + "is left of that half?",
            right: "Half of the rope is 60 / 2 = 30 metres.\nOf that half 30 - 7 = 23 metres are left.\n"
                + "The answer is 23.",
            wrong: "Without the waste there are 60 - 7 = 53 metres.\nHalf of that is 53 / 2 = 26.5 metres.\n"
                + "The answer is 26.5."
        ),
    ]
}
