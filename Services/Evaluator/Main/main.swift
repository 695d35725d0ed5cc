import EvaluatorCore
import ServiceRuntime

await ServiceMain.run(EvaluatorService.definition)
