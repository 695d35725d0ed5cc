import Foundation
import Schemas
import ServiceRuntime
import Teaching
import Testing

@testable import TeacherIngestionCore

@Suite("The settings of a teacher's roles")
struct TeacherSettingsTests {
    private func read(
        _ json: String?,
        url: String? = "http://h:1/v1",
        model: String? = "m"
    ) throws
        -> [TeacherRole: TeacherSettings]
    {
        var keys = TeacherSettings()
        keys.url = url
        keys.model = model
        guard let json else { return try TeacherSettings.read(file: nil, keys: keys) }
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
        try Data(json.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try TeacherSettings.read(file: file.path, keys: keys)
    }

    @Test("without a file every role is asked alike")
    func none() throws {
        let roles = try read(nil)
        #expect(roles.count == TeacherRole.allCases.count)
        #expect(Set(roles.values).count == 1)
    }

    @Test("a role's entry goes before the default's, and that before the keys")
    func merged() throws {
        let roles = try read(
            """
            {"default": {"model": "big", "headers": {"a": "1"}, "body": {"x": 1}},
             "inspector": {"model": "small", "url": "http://other/v1", "headers": {"b": "2"}, "temperature": 0}}
            """
        )
        #expect(roles[.solver]?.model == "big")
        #expect(roles[.solver]?.url == "http://h:1/v1")
        #expect(roles[.inspector]?.model == "small")
        #expect(roles[.inspector]?.url == "http://other/v1")
        #expect(roles[.inspector]?.headers == ["a": "1", "b": "2"])
        #expect(roles[.inspector]?.body == ["x": 1])
        #expect(roles[.inspector]?.temperature == 0)
    }

    @Test(
        "what is wrong is named with its place",
        arguments: [
            (#"{"judge": {}}"#, "'judge' is no role; the roles are default, solver"),
            (#"{"solver": {"modell": "x"}}"#, "modell is not known"),
            (#"{"solver": {"preset": "gpt"}}"#, "preset"),
            (#"{"solver": {"temperature": 3}}"#, "solver.temperature must be 0 to 2"),
            (#"{"solver": {"timeoutSeconds": 1e300}}"#, "solver.timeoutSeconds must be above 0"),
            (#"{"solver": {"concurrency": 0}}"#, "solver.concurrency must be 1 to 1000"),
            (#"{"solver": {"maximumTokens": 0}}"#, "solver.maximumTokens"),
            (#"{"solver": {"body": {"messages": []}}}"#, "solver.body.messages is not merged; prompts make them"),
            (#"{"solver": {"body": {"stream": true}}}"#, "solver.body.stream is not merged; set stream itself"),
            (#"{"solver": {"body": {"n": 4}}}"#, "solver.body.n must be 1"),
            (#"{"solver": {"headers": {"": "x"}}}"#, "solver.headers has '', which is no name of a header"),
            (#"{"solver": {"headers": {"a b": "x"}}}"#, "solver.headers has 'a b'"),
            (#"{"solver": {"headers": {"a": "x\u000a"}}}"#, "solver.headers.a has a control character"),
            (#"{"solver": {"seed": -1}}"#, "solver.seed must be 0 to"),
            (#"{"solver": {"firstByteSeconds": 0}}"#, "solver.firstByteSeconds must be above 0"),
            (
                #"{"solver": {"apiKeyFile": "/no/such/key"}}"#,
                "solver.apiKeyFile names /no/such/key, which cannot be read"
            ),
            (#"{"solver": {"url": "h:8000"}}"#, "url is 'h:8000'; it must be like http://HOST:8000/v1"),
            (#"{"solver": {"price": {"prompt": -1, "completion": 0}}}"#, "solver.price must not be negative"),
            (#"{"solver": {"batch": {"minimum": 5}}}"#, "batch.minimum is not known"),
            (#"{"solver": {"batch": {"minimumRequests": 0}}}"#, "solver.batch.minimumRequests must be 1 to"),
            (
                #"{"solver": {"batch": {"minimumRequests": 9, "maximumRequests": 8}}}"#,
                "solver.batch.minimumRequests must be 1 to maximumRequests, 8"
            ),
            (#"{"solver": {"batch": {"maximumRequests": 50001}}}"#, "solver.batch.maximumRequests must be 1 to 50000"),
            (#"{"solver": {"batch": {"waitSeconds": -1}}}"#, "solver.batch.waitSeconds must be 0 to 86400"),
            (#"{"solver": {"batch": {"pollSeconds": 0}}}"#, "solver.batch.pollSeconds must be above 0"),
            (#"{"solver": {"batch": {"completionWindow": ""}}}"#, "solver.batch.completionWindow must be like 24h"),
            (#"{"solver": {"batch": {"endpoint": "chat"}}}"#, "solver.batch.endpoint is 'chat'"),
        ]
    )
    func refused(json: String, words: String) {
        let error = #expect(throws: ConfigurationError.self) { try read(json) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(words))
    }

    @Test("a role's batches have defaults, are taken as a whole from the default's entry, and can be turned off")
    func batches() throws {
        let roles = try read(
            #"{"default": {"batch": {"waitSeconds": 5, "maximumRequests": 20}}, "solver": {"batch": {"enabled": false}}}"#
        )
        #expect(roles[.solver]?.batch?.enabled == false)
        let plan = BatchPlan(try #require(roles[.inspector]?.batch))
        #expect(plan.wait == .seconds(5) && plan.poll == .seconds(30))
        #expect(plan.maximumRequests == 20 && plan.minimumRequests == 20)
        #expect(plan.completionWindow == "24h" && plan.endpoint == "/v1/chat/completions")
    }

    @Test("a role without an address or a model is named")
    func missing() throws {
        let noAddress = #expect(throws: ConfigurationError.self) { try read(nil, url: nil) }
        #expect("\(noAddress.map { "\($0)" } ?? "")".contains("ERRATA_TEACHER_URL"))
        let noModel = #expect(throws: ConfigurationError.self) { try read(nil, model: nil) }
        #expect("\(noModel.map { "\($0)" } ?? "")".contains("ERRATA_TEACHER_MODEL"))
        #expect(
            try read(#"{"default": {"url": "http://x", "model": "y"}}"#, url: nil, model: nil)[.solver]?.model == "y"
        )
    }
}
