import Foundation
import ServiceRuntime
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    private let port = ConfigurationKey<Int>("ERRATA_X_PORT", default: 80, in: 1...65_535, "A port.")
    private let name = ConfigurationKey<String>("ERRATA_X_NAME", optional: false, "A name.")
    private let wait = ConfigurationKey<Duration>("ERRATA_X_WAIT", default: .seconds(90), "A wait.")
    private let token = ConfigurationKey<Secret>("ERRATA_X_TOKEN", optional: true, "A token.")
    private var keys: [any AnyConfigurationKey] { [port, name, wait, token] }

    private func problems(_ environment: [String: String]) -> String {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration(keys: keys, environment: environment)
        }
        return error?.description ?? ""
    }

    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        try Data(text.utf8).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    @Test("values have their types and defaults")
    func values() throws {
        let configuration = try Configuration(
            keys: keys,
            environment: [
                "ERRATA_X_NAME": "n", "ERRATA_X_WAIT": "1.5s", "PATH": "/", "ERRATA_TEST_A": "", "ERRATA_X_TOKEN": "",
            ]
        )
        #expect(try configuration.value(port) == 80)
        #expect(try configuration.value(name) == "n")
        #expect(try configuration.value(wait) == .milliseconds(1500))
        #expect(try configuration.optionalValue(token) == nil)
    }

    @Test("an unknown key is named with the nearest known one")
    func unknown() {
        let text = problems(["ERRATA_X_NAME": "n", "ERRATA_X_PROT": "1", "ERRATA_SOMETHING_ELSE": "1"])
        #expect(text.contains("ERRATA_X_PROT (in the environment) is not a known key; did you mean ERRATA_X_PORT?"))
        #expect(
            text.contains("ERRATA_SOMETHING_ELSE (in the environment) is not a known key\n")
                || text.hasPrefix("ERRATA_SOMETHING_ELSE (in the environment) is not a known key\n")
        )
    }

    @Test("all malformed and missing keys are named at once, a secret's value never")
    func malformed() {
        let text = problems([
            "ERRATA_X_PORT": "0", "ERRATA_X_WAIT": "5 bananas", "ERRATA_X_TOKEN_FILE": "/no/such/file",
        ])
        #expect(text.contains("ERRATA_X_PORT (in the environment): \"0\" must be 1 to 65535"))
        #expect(text.contains("ERRATA_X_WAIT (in the environment): \"5 bananas\" is not of the type: duration"))
        #expect(text.contains("ERRATA_X_NAME is missing"))
        #expect(text.contains("ERRATA_X_TOKEN_FILE names /no/such/file"))
        let both = problems(["ERRATA_X_NAME": "n", "ERRATA_X_TOKEN": "hush", "ERRATA_X_TOKEN_FILE": "/x"])
        #expect(both.contains("are both given"))
        #expect(!both.contains("hush"))
    }

    @Test("a secret comes from its file and does not show itself")
    func secrets() throws {
        try withFile("hush hush\n") { path in
            let configuration = try Configuration(
                keys: keys,
                environment: ["ERRATA_X_NAME": "n", "ERRATA_X_TOKEN_FILE": path]
            )
            let secret = try #require(try configuration.optionalValue(token))
            #expect(secret.reveal() == "hush hush")
            #expect("\(secret) \(String(reflecting: secret))" == "<secret> <secret>")
            #expect(!"\(configuration.effective)".contains("hush"))
            #expect(configuration.secretValues == ["hush hush"])
        }
    }

    @Test("librdkafka's settings come from a file as well, and the passwords among them are not shown")
    func settingsFile() throws {
        let lines = "security.protocol=SASL_SSL;sasl.username=me\nsasl.password=hush=hush\n"
        try withFile(lines) { path in
            let configuration = try Configuration(
                keys: [KafkaKeys.settings],
                environment: ["ERRATA_KAFKA_SETTINGS_FILE": path]
            )
            let values = try configuration.value(KafkaKeys.settings).values
            #expect(
                values == ["security.protocol": "SASL_SSL", "sasl.username": "me", "sasl.password": "hush=hush"]
            )
            let shown = try #require(configuration.effective.first { $0.name == "ERRATA_KAFKA_SETTINGS" }).value
            #expect(shown == "sasl.password=***;sasl.username=me;security.protocol=SASL_SSL")
            #expect(configuration.secretValues == ["hush=hush"])
        }
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration(keys: [KafkaKeys.settings], environment: ["ERRATA_KAFKA_SETTINGS": "sasl.password hush"])
        }
        #expect(error?.description.contains("hush") == false)
    }

    @Test("a password in the database's address is not shown, and the address can come from a file")
    func addressFile() throws {
        try withFile("postgresql://me:hush@host:5433/db\n") { path in
            let configuration = try Configuration(
                keys: [DatabaseKeys.url],
                environment: ["ERRATA_POSTGRES_URL_FILE": path]
            )
            #expect(
                try configuration.value(DatabaseKeys.url).configurationText == "postgresql://me:hush@host:5433/db"
            )
            let shown = try #require(configuration.effective.first { $0.name == "ERRATA_POSTGRES_URL" }).value
            #expect(shown.contains("host:5433/db"))
            #expect(!shown.contains("hush"))
        }
    }

    @Test(
        "every key that may hold a secret has a form with a file",
        arguments: ["KAFKA_SETTINGS", "KAFKA_SASL_PASSWORD", "POSTGRES_URL", "POSTGRES_PASSWORD"]
    )
    func fileForms(key: String) throws {
        let declared = try #require(EventService.keys.first { $0.name == "ERRATA_\(key)" })
        #expect(declared.isSecret)
        #expect(Configuration.describe([declared]).contains("Also as ERRATA_\(key)_FILE."))
    }

    @Test(
        "a file gives values and the environment wins",
        arguments: [
            "# note\nERRATA_X_NAME = \"file\"\n\nERRATA_X_PORT=81\n", #"{"ERRATA_X_NAME":"file","ERRATA_X_PORT":81}"#,
        ]
    )
    func file(text: String) throws {
        try withFile(text) { path in
            let configuration = try Configuration(
                keys: keys,
                environment: ["ERRATA_CONFIG": path, "ERRATA_X_PORT": "82"]
            )
            #expect(try configuration.value(name) == "file")
            #expect(try configuration.value(port) == 82)
        }
    }

    @Test("a bad file is refused with the line")
    func badFile() throws {
        try withFile("ERRATA_X_NAME=n\nnonsense\nERRATA_X_NAME=m\n") { path in
            let text = problems(["ERRATA_CONFIG": path])
            #expect(text.contains("\(path):2: expected NAME=value"))
            #expect(text.contains("\(path):3: ERRATA_X_NAME stands twice"))
        }
        try withFile("{\"ERRATA_X_NAME\":[1]}") { path in
            #expect(problems(["ERRATA_CONFIG": path]).contains("one flat JSON object"))
        }
        #expect(problems(["ERRATA_CONFIG": "/no/such/file", "ERRATA_X_NAME": "n"]).contains("cannot be read"))
    }

    @Test("the table names every key with its type, default and file form")
    func table() {
        let text = Configuration.describe(keys)
        for part in ["`ERRATA_X_PORT`", "`80`", "`90s`", "required", "Also as ERRATA_X_TOKEN_FILE.", "`ERRATA_CONFIG`"]
        {
            #expect(text.contains(part))
        }
    }

    @Test(
        "settings of Kafka that would not be in force are refused, with the cure",
        arguments: [
            ("message.max.bytes=8388608,security.protocol=SASL_SSL,sasl.mechanism=PLAIN", "separated by semicolons"),
            ("security.protocol=PLAINTEXT;retries=3 acks=all", "holds another setting, 'acks'"),
            ("sasl.username=me,ssl.ca.location = /ca.pem", "holds another setting, 'ssl.ca.location'"),
            ("sasl.password=hidden,security.protocol=SASL_SSL", "holds another setting, 'security.protocol'"),
            ("message.max.bytes=8388608,linger", "\"8388608,linger\" is no number"),
            ("linger.ms=5ms", "\"5ms\" is no number"),
            ("mesage.max.bytes=1000", "no such librdkafka setting"),
            ("security.protocol=TLS", "bad value"),
        ]
    )
    func refusedSettings(text: String, cause: String) {
        let fault = KafkaKeys.settings.fault(in: text)
        #expect(fault?.contains(cause) == true, "\(fault ?? "none")")
        #expect(fault?.contains("hidden") != true)
    }

    @Test(
        "settings of Kafka that mean what they say are taken",
        arguments: [
            "message.max.bytes=8388608;security.protocol=SASL_SSL;sasl.mechanism=PLAIN",
            "acks=all;linger.ms=0.5;retries=3",
            "sasl.oauthbearer.config=principal=me scope=all", "sasl.password=a,b=c;client.id=x=y",
            "sasl.kerberos.kinit.cmd=kinit -t \"%{sasl.kerberos.keytab}\" -k %{sasl.kerberos.principal}", "",
        ]
    )
    func takenSettings(text: String) {
        #expect(KafkaKeys.settings.fault(in: text) == nil)
    }

    @Test("durations, lists and settings are read")
    func parsing() {
        #expect(Duration(configurationText: "250ms") == .milliseconds(250))
        #expect(Duration(configurationText: "2h")?.configurationText == "2h")
        for text in ["", "5", "-1s", "1d", "s", "1e9h"] { #expect(Duration(configurationText: text) == nil, "\(text)") }
        #expect([Int](configurationText: "1, 2") == [1, 2])
        #expect([Int](configurationText: "1,,2") == nil)
        #expect(PassThroughSettings(configurationText: "a=b=c; d=1")?.values == ["a": "b=c", "d": "1"])
        #expect(PassThroughSettings(configurationText: "a=1;a=2") == nil)
        #expect(Double(configurationText: "nan") == nil)
        #expect(LogLevel(configurationText: "loud") == nil)
    }
}
