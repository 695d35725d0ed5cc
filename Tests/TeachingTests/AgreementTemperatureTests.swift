import Reasoning
import Schemas
import Teaching
import Testing

@Suite("The temperature of samples for an agreement")
struct AgreementTemperatureTests {
    private struct Thermometer: Teacher {
        let model = "m"

        func complete(_ request: ChatRequest) async throws -> ChatReply {
            ChatReply(
                text: "2 + 2 = \(request.temperature)\nThe answer is \(request.temperature).",
                finishReason: "stop",
                promptTokens: 1,
                completionTokens: 1,
                model: "m",
                latencyMilliseconds: 1
            )
        }
    }

    @Test(
        "it is the role's own, and where that is 0 or not said, one at which samples differ",
        arguments: [(0.9, "0.9"), (nil, "0.7"), (0, "0.7")] as [(Double?, String)]
    )
    func temperature(own: Double?, expected: String) async throws {
        let pipeline = TeachingPipeline(
            ledger: DirectTeacherLedger(teacher: Thermometer()),
            options: TeachingOptions(temperatures: own.map { [.solver: $0] } ?? [:])
        )
        let problem = ProblemEvent(id: "p", dataset: "d", split: .train, question: "What is 2 + 2?", answer: "")
        let vote = try await pipeline.agreement(on: problem, RunAgreement(agreeing: 2, of: 3))
        #expect(vote.answers == [expected, expected])
    }
}
