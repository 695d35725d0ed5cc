import Foundation
import ServiceRuntime
import TeacherSimulatorCore

let code = await TeacherSimulatorService.run(
    arguments: Array(CommandLine.arguments.dropFirst()),
    environment: ProcessInfo.processInfo.environment
)
exit(code.rawValue)
