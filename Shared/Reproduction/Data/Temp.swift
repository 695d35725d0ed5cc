import Distillation
import Reasoning
import Schemas
import Teaching
import TeacherSimulation
import Training

struct InProcessTeacher: Teacher {
    let teacher: SimulatedTeacher
    let model = "errata-simulator"
    init(_ teacher: SimulatedTeacher) { self.teacher = teacher }
    func complete(_ request: ChatRequest) async throws -> ChatReply {
        let text = teacher.reply(
            to: request.messages.map { ($0.role, $0.content) },
            temperature: request.temperature,
            sampleSeed: UInt64(max(0, request.seed))
        )
        return ChatReply(text: text, finishReason: "stop", promptTokens: 0, completionTokens: 0, model: model, latencyMilliseconds: 0)
    }
}
struct DirectTeacherLedger: TeacherLedger {
    let teacher: any Teacher
    var model: String { teacher.model }
    func ask(_ question: TeacherRequest, subject: String, temperature: Double, attempt: Int) async throws -> TeacherAnswer {
        let prompt = try PromptLibrary.prompt(question.promptID)
        let request = ChatRequest(
            messages: try question.messages(prompt: prompt).map { ChatMessage(role: $0.role, content: $0.content) },
            temperature: temperature, seed: Self.seed(subject: subject, prompt: question.promptID, attempt: attempt))
        return TeacherAnswer(promptID: prompt.id.rawValue, promptVersion: prompt.version, temperature: temperature, seed: request.seed, reply: try await teacher.complete(request))
    }
}
struct RectifiedDemonstrations: DemonstrationSource {
    var pairs: [CorruptionDemonstration]
    var seed: UInt64
    func corruption(for problem: ProblemEvent) async throws -> [CorruptionDemonstration] { Array(pairs.prefix(3)) }
}
extension PreferencePairs.Layout { static var instance: Self { .step }; static var prefix: Self { .step } }
enum Neg { case likelihood, unlikelihood }
extension TrainingOptions { var negativeTokens: Neg { get { .likelihood } set {} } }
extension CorrectionTrace {
    init(_ body: CorrectionBody) {
        self.init(steps: body.steps, firstWrongStep: body.firstWrongStep, cause: body.cause, correction: body.correction, answer: body.answer)
    }
    init(_ own: SelfCorrection, steps: [String]) {
        self.init(steps: steps, firstWrongStep: own.firstWrongStep, cause: own.cause, correction: own.correction, answer: own.answer ?? "")
    }
}
