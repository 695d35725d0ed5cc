import KeyStepLocatorCore
import ServiceRuntime

await ServiceMain.run(KeyStepLocatorService.definition)
