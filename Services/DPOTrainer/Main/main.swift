import DPOTrainerCore
import ServiceRuntime

await ServiceMain.run(DPOTrainerService.definition)
