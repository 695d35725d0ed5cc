public import Foundation

/// The JSON Schema (2020-12) of every event type and the AsyncAPI 3.0 document of all topics.
public enum SchemaDocuments {
    /// The JSON Schema of the bodies of an event type.
    public static func schema(for type: EventType) -> Data {
        switch type {
        case .problem: Data(PackageResources.problem_v1_json)
        case .teachingOrder: Data(PackageResources.teaching_order_v1_json)
        case .run: Data(PackageResources.run_v1_json)
        case .trace: Data(PackageResources.trace_v1_json)
        case .recordedTrace: Data(PackageResources.recorded_trace_v1_json)
        case .keySteps: Data(PackageResources.key_steps_v1_json)
        case .attempt: Data(PackageResources.attempt_v1_json)
        case .checkpoint: Data(PackageResources.checkpoint_v1_json)
        case .evaluation: Data(PackageResources.evaluation_v1_json)
        case .verdict: Data(PackageResources.verdict_v1_json)
        case .runControl: Data(PackageResources.run_control_v1_json)
        case .removal: Data(PackageResources.removal_v1_json)
        case .pause: Data(PackageResources.pause_v1_json)
        case .deadLetter: Data(PackageResources.dead_letter_v1_json)
        }
    }

    /// The AsyncAPI 3.0 document, in YAML; it refers to the schemas by their file names.
    public static var asyncAPI: Data { Data(PackageResources.asyncapi_yaml) }

    /// The file name of the JSON Schema of an event type, as the AsyncAPI document refers to it.
    public static func fileName(for type: EventType) -> String {
        "\(type.rawValue.dropFirst("errata.".count)).json"
    }

    /// All documents with their file names, for a tool that writes them to a folder.
    public static var all: [(fileName: String, contents: Data)] {
        EventType.allCases.map { (fileName(for: $0), schema(for: $0)) } + [("asyncapi.yaml", asyncAPI)]
    }
}
