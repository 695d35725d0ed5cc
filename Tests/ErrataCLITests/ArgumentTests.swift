import ArgumentParser
import Foundation
import KafkaClient
import PostgresClient
import ServiceRuntime
import Testing

@testable import ErrataCLICore

@Suite("Arguments of the commands")
struct ArgumentTests {
    private struct Bad {
        let arguments: [String]
        let parts: [String]

        init(_ arguments: String, _ parts: String...) {
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.parts = parts
        }
    }

    private static let bad: [Bad] = [
        Bad("submit", "<file>"),
        Bad("submit f --split training", "--split", "train, rollout, development or test", "'training'"),
        Bad("submit f --limit 0", "--limit", "at least 1"),
        Bad("submit f --limit many", "--limit", "many"),
        Bad("submit f g", "g"),
        Bad("grade", "<file>"), Bad("grade f --policy lenient", "--policy", "strict, standard or qwen", "'lenient'"),
        Bad("submit f --json", "--json", "needs --estimate"), Bad("submit f --parts chains", "--parts", "--estimate"),
        Bad("submit f --estimate --parts chains,proofs", "--parts", "chains, duals, mistakes, templates", "'proofs'"),
        Bad("traces --kind chains", "--kind", "chain-of-thought, dual", "'chains'"),
        Bad("traces --refused --list --json", "--list and --json", "keep one"), Bad("traces --limit 0", "--limit"),
        Bad("regrade --policy lenient", "--policy", "strict, standard or qwen", "'lenient'"),
        Bad("regrade --table verdicts", "--table", "evaluations, attempts or traces"),
        Bad("regrade --table traces --evaluation held", "--evaluation", "keep one"),
        Bad("regrade --limit 0", "--limit", "at least 1"),
        Bad("submit f --layout gsm", "--layout", "gsm8k, math", "'gsm'"),
        Bad("submit f --layout math --map question=a,answer=b", "--layout and --map", "keep one"),
        Bad("submit f --map question=a", "--map", "answer is missing"),
        Bad("problems --limit 0", "--limit", "at least 1"),
        Bad("generate --count 0", "--count", "at least 1"),
        Bad("generate --split all", "--split", "train, rollout, development or test", "'all'"),
        Bad("generate --seed -1", "--seed"),
        Bad("generate --minimum-steps 5 --maximum-steps 4", "--minimum-steps", "at most --maximum-steps"),
        Bad("generate --minimum-steps 0", "--minimum-steps", "at least 1"),
        Bad("generate --prompt x", "--prompt", "needs --model"),
        Bad("generate --count 3 --temperature 1", "--temperature", "needs --model"),
        Bad("generate --model m --count 3", "--count", "built-in problems", "leave it out"),
        Bad("generate --model m --split test", "--split"),
        Bad("generate --model m --system x", "--system", "--chat"),
        Bad("generate --model m --chat-template t", "--chat-template", "--chat"),
        Bad("generate --model m --chat --chat-template-kwargs [1]", "--chat-template-kwargs", "an object"),
        Bad(
            "train sft --data d --model m --output o --chat-template-kwargs {",
            "--chat-template-kwargs",
            "not valid JSON"
        ),
        Bad("models add", "source"), Bad("models rename a", "new-name"), Bad("models render m", "--messages"),
        Bad("models export m t.gguf --dtype q4_0", "--dtype", "q4_0"),
        Bad("generate --model m --max-tokens 0", "--max-tokens", "at least 1"),
        Bad("generate --model m --temperature nan", "--temperature"),
        Bad("generate --model m --top-p 0", "--top-p"),
        Bad("generate --model m --temperature 0 --top-k 5", "--top-k", "no effect"),
        Bad("generate --model m --repetition-penalty 0", "--repetition-penalty", "positive"),
        Bad("generate --prompts f", "--prompts", "needs --model"),
        Bad("generate --model m --no-thinking", "--no-thinking", "--chat"),
        Bad("generate --model m --prompt x --prompts f", "--prompt and --prompts"),
        Bad("generate --model m --samples 0", "--samples", "1...100000"),
        Bad("generate --model m --samples 2 --temperature 0", "--samples", "the same"),
        Bad("generate --model m --prompt x --batch-size 2", "--batch-size", "no effect"),
        Bad("train sft --data d --model m --output o --eval-steps 2", "--eval-steps", "--eval-data"),
        Bad("train sft --data d --model m --output o --eval-data e --eval-steps 0", "--eval-steps", "at least 1"),
        Bad("train sft --data d --model m --output o --batch-size 2 --batch-tokens 9", "--batch-tokens", "one of them"),
        Bad("train sft --data d --model m --output o --batch-tokens 0", "batchTokens"),
        Bad(
            "train dpo --data d --model m --output o --batch-tokens 9 --supervised-weight 1 --supervised-data s",
            "--batch-tokens",
            "--batch-size"
        ),
        Bad("train sft --data d --model m", "--output"),
        Bad("train ppo", "ppo"),
        Bad("train sft --data d --model m --output o --resume --overwrite", "--resume", "--overwrite"),
        Bad("train sft --data d --model m --output o --epochs 1 --max-steps 2", "--epochs", "--max-steps"),
        Bad("train sft --data d --model m --output o --epochs 0", "epochs"),
        Bad("train sft --data d --model m --output o --batch-size 0", "batchSequences"),
        Bad("train sft --data d --model m --output o --warmup-ratio 2", "warmupRatio"),
        Bad("train sft --data d --model m --output o --schedule wavy", "--schedule", "wavy"),
        Bad("train sft --data d --model m --output o --max-length 1", "--max-length"),
        Bad("train sft --data d --model m --output o --beta 1", "--beta"),
        Bad(
            "train dpo --data d --model m --output o --loss simpo --reference-store r",
            "--reference-store",
            "no effect"
        ),
        Bad("train sft --data d --model m --output o --lora-alpha 8", "--lora-alpha", "--lora-rank"),
        Bad("train sft --data d --model m --output o --lora-rank 0", "--lora-rank"),
        Bad("train sft --data d --model m --output o --lora-rank 4 --lora-targets head", "--lora-targets", "head"),
        Bad("generate --adapter a", "--adapter", "needs --model"),
        Bad("train krsl --data d --model m --output o --alpha -1", "--alpha"),
        Bad("train krsl --data d --model m --output o --alpha 0 --beta 0", "nothing would be learned"),
        Bad("train dpo --data d --model m --output o --loss orpo", "--loss", "orpo"),
        Bad("train dpo --data d --model m --output o --loss hinge --label-smoothing 0.1", "labelSmoothing"),
        Bad("train dpo --data d --model m --output o --simpo-margin 1", "simpoMargin"),
        Bad("train dpo --data d --model m --output o --supervised-weight 1", "--supervised-data"),
        Bad("train dpo --data d --model m --output o --loss simpo --reference r", "--reference", "no effect"),
        Bad("watch", "<topic>"),
        Bad("watch problems --limit 0", "--limit", "at least 1"),
        Bad("dead-letters list --limit 0", "--limit", "at least 1"),
        Bad("dead-letters list --since tomorrow", "--since", "tomorrow"),
        Bad("dead-letters list --since 1h --until 2h", "--since", "earlier than --until"),
        Bad("dead-letters list --status gone", "--status", "replayed"),
        Bad("dead-letters show x --body --json", "--body", "--json"),
        Bad("dead-letters replay", "<id>"),
        Bad("dead-letters replay --cause c", "--all"),
        Bad("dead-letters replay x --all", "keep one"),
        Bad("dead-letters replay x y --body f", "--body", "one id"),
        Bad("dead-letters drop x", "--reason"),
        Bad("dead-letters drop --reason r", "<id>"),
        Bad("trace", "<problem>"),
        Bad("lineage", "<checkpoint>"),
        Bad("replay --topic other", "--topic", "errata.problems.v1"),
        Bad("replay --since 1h --until 2h", "earlier than --until"),
        Bad("migrate --replication 0", "--replication", "1 to 1000"),
        Bad("up --keep", "--keep", "--demo"),
        Bad("up --problems f", "--problems", "--demo"),
        Bad("up --teacher-url localhost:8000", "--teacher-url", "http://host:8000/v1", "'localhost:8000'"),
        Bad("up --sead 1", "--sead"),
        Bad("runs submit", "<file>"),
        Bad("status --stat x", "--stat"),
        Bad("status --watch --yields", "--watch", "--yields"),
        Bad("status --watch --json", "--watch", "--json"),
        Bad("status --watch --every 0", "--every", "0.1 to 3600"),
        Bad("nonsense", "nonsense"),
    ]

    @Test("a bad value is refused with the option's name and what it may be", arguments: bad.indices)
    func refused(index: Int) {
        let bad = Self.bad[index]
        let error = #expect(throws: (any Error).self, "\(bad.arguments)") {
            _ = try ErrataCommand.parseAsRoot(bad.arguments)
        }
        guard let error else { return }
        let text = ErrataCommand.fullMessage(for: error)
        for part in bad.parts { #expect(text.contains(part), "\(part) in \(text)") }
        #expect(ErrataCommand.exitCode(for: error) != .success)
    }

    @Test(
        "good arguments are taken",
        arguments: [
            "submit -", "submit f --split test --limit 3",
            "submit f --estimate --teachers t --parts chains,templates --json",
            "generate --count 1 --minimum-steps 1 --maximum-steps 1",
            "watch evaluations --once", "dead-letters", "dead-letters --cause c --json",
            "dead-letters list --consumer c --topic problems --cause c --since 7d --until 1h --status all --count --state s",
            "trace p --json", "lineage run/hsft --json",
            "replay --topic problems --topic errata.runs.v1 --key k --since 7d --dry-run --json", "replay -y",
            "dead-letters show x", "dead-letters replay x --body -", "dead-letters replay x y",
            "dead-letters replay --cause c --all --yes", "dead-letters drop --all --reason r --erase -y", "runs",
            "status", "status --json", "migrate --replication 3",
            "generate", "generate --model m --prompt x --chat --system y --seed 3 --stop a --stop b",
            "generate --model m --temperature 0.7 --top-k 20 --top-p 0.8 --repetition-penalty 1.1 --max-tokens 5",
            "train sft --data d --model m --output o --epochs 2 --schedule linear --chat-template t",
            "train dpo --data d --model m --output o --lora-rank 8 --lora-targets q_proj,v_proj --lora-dropout 0.1",
            "train krsl --data d --model m --output o --gamma 0.1 --max-steps 5 --checkpoint-every 2",
            "train dpo --data d --model m --output o --loss sigmoid --label-smoothing 0.1 --nll-weight 1",
            "train dpo --data d --model m --output o --loss simpo --simpo-margin 0.5 --resume",
            "models list", "models add m.gguf --name m", "models show m --json", "models export m out --dtype bfloat16",
            "models rename a b", "models remove m --state s", "models render m --messages - --ids",
            "up --demo --quick --keep --problems f", "up --teacher-url https://host/v1",
            "traces --refused", "traces --problem p --json --limit 3",
            "traces --run r --kind correction --refused --list", "regrade --exit-code", "regrade --table traces",
            "regrade --policy qwen --run r --evaluation held --limit 2",
        ]
    )
    func accepted(line: String) throws {
        _ = try ErrataCommand.parseAsRoot(line.split(separator: " ").map(String.init))
    }

    @Test("without a system the options say how to start or name one")
    func noSystem() throws {
        let options = try SystemOptions.parse(["--state", "/no/such/folder"])
        for body in [{ _ = try options.kafka(environment: [:]) }, { _ = try options.database(environment: [:]) }] {
            let error = #expect(throws: CLIError.self) { try body() }
            #expect(error?.description.contains("errata up --state /no/such/folder") == true)
            #expect(error?.description.contains("ERRATA_KAFKA_BOOTSTRAP_SERVERS") == true)
        }
    }

    @Test("the environment names other systems, and secrets come from files as well")
    func environment() throws {
        let options = try SystemOptions.parse([])
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ text: String) throws -> String {
            let file = folder.appending(path: name)
            try Data(text.utf8).write(to: file)
            return file.path
        }
        let kafka = try options.kafka(environment: [
            "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2",
            "ERRATA_KAFKA_SETTINGS_FILE": try file("settings", "security.protocol=SASL_SSL\nlinger.ms=1\n"),
            "ERRATA_KAFKA_SASL_PASSWORD_FILE": try file("sasl", "hush\n"),
        ])
        #expect(kafka.bootstrapServers == "a:1,b:2")
        #expect(
            kafka.settings == ["security.protocol": "SASL_SSL", "linger.ms": "1", "sasl.password": "hush"]
        )
        let database = try options.database(environment: [
            "ERRATA_POSTGRES_URL_FILE": try file("url", "postgresql://me@host:5433/db\n"),
            "ERRATA_POSTGRES_PASSWORD_FILE": try file("password", "hush\n"),
        ])
        #expect(database.url(includingPassword: true).hasPrefix("postgres://me:hush@host:5433/db"))

        let both = #expect(throws: ConfigurationError.self) {
            try options.kafka(environment: [
                "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "a:1", "ERRATA_KAFKA_SETTINGS": "a=b",
                "ERRATA_KAFKA_SETTINGS_FILE": "/x",
            ])
        }
        #expect(both?.description.contains("both given") == true)
        let missing = #expect(throws: ConfigurationError.self) {
            try options.database(environment: ["ERRATA_POSTGRES_URL_FILE": "/no/such/file"])
        }
        #expect(missing?.description.contains("ERRATA_POSTGRES_URL_FILE names /no/such/file") == true)
    }
}
