// swift-tools-version: 6.2

import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// MARK: Third-party products

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

// MARK: Layout helpers: one folder a module, as the README describes

func shared(
    _ name: String,
    _ dependencies: [Target.Dependency] = [],
    resources: [Resource]? = nil
) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Shared/\(name)",
        resources: resources,
        swiftSettings: swiftSettings
    )
}

/// A service is a library with its logic (`Core`) and a thin executable that only wires it up (`Main`).
func service(
    _ name: String,
    core: [Target.Dependency],
    main: [Target.Dependency] = [],
    resources: [Resource]? = nil
) -> [Target] {
    [
        .target(
            name: "\(name)Core",
            dependencies: core,
            path: "Services/\(name)/Core",
            resources: resources,
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: name,
            dependencies: [.target(name: "\(name)Core")] + main,
            path: "Services/\(name)/Main",
            swiftSettings: swiftSettings
        ),
    ]
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies,
        path: "Tests/\(name)",
        exclude: exclude,
        swiftSettings: swiftSettings
    )
}

let plumbing: [Target.Dependency] = ["KafkaClient", "PostgresClient", "ServiceRuntime", "Schemas"]
let numerics: [Target.Dependency] = ["ModelFiles", "TensorEngine", "Tokenization", "LanguageModel", "Training"]

let package = Package(
    name: "errata",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "ModelFiles", targets: ["ModelFiles"]),
        .library(name: "TensorEngine", targets: ["TensorEngine"]),
        .library(name: "TemplateEngine", targets: ["TemplateEngine"]),
        .library(name: "Tokenization", targets: ["Tokenization"]),
        .library(name: "LanguageModel", targets: ["LanguageModel"]),
        .library(name: "Training", targets: ["Training"]),
        .library(name: "Distillation", targets: ["Distillation"]),
        .library(name: "Reasoning", targets: ["Reasoning"]),
        .library(name: "Teaching", targets: ["Teaching"]),
        .library(name: "Schemas", targets: ["Schemas"]),
        .library(name: "KafkaClient", targets: ["KafkaClient"]),
        .library(name: "PostgresClient", targets: ["PostgresClient"]),
        .library(name: "ServiceRuntime", targets: ["ServiceRuntime"]),
        .executable(name: "teacher-ingestion", targets: ["TeacherIngestion"]),
        .executable(name: "key-step-locator", targets: ["KeyStepLocator"]),
        .executable(name: "template-distiller", targets: ["TemplateDistiller"]),
        .executable(name: "dpo-trainer", targets: ["DPOTrainer"]),
        .executable(name: "evaluator", targets: ["Evaluator"]),
        .executable(name: "teacher-simulator", targets: ["TeacherSimulator"]),
        .executable(name: "errata", targets: ["ErrataCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.25.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
    ],
    targets: [
        // System libraries
        .systemLibrary(
            name: "CLibrdkafka",
            path: "Shared/CLibrdkafka",
            pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"])]
        ),
        .systemLibrary(
            name: "CLibpq",
            path: "Shared/CLibpq",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"])]
        ),
        .systemLibrary(
            name: "COpenBLAS",
            path: "Shared/COpenBLAS",
            pkgConfig: "openblas",
            providers: [.apt(["libopenblas-dev"])]
        ),
        .systemLibrary(
            name: "CLibcrypto",
            path: "Shared/CLibcrypto",
            pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]
        ),

        // Where the tests end the program; empty in other builds
        shared("FaultPoints"),

        // Files: digests, JSON as bytes, weights, atomic writing
        shared("Digests", ["CLibcrypto"]),
        shared("ModelFiles", ["Digests", "FaultPoints"]),

        // Chat templates: Jinja as transformers runs it
        shared("TemplateEngine", ["ModelFiles"]),

        // Numerics
        .target(
            name: "CTensorKernels",
            path: "Shared/CTensorKernels",
            cSettings: [.unsafeFlags(["-O3", "-fno-math-errno"])]
        ),
        shared("TensorEngine", ["COpenBLAS", "CTensorKernels"]),
        shared("Tokenization", ["Digests", "ModelFiles", "TemplateEngine", heap]),
        shared("LanguageModel", ["Digests", "ModelFiles", "TensorEngine", "Tokenization"]),
        shared("Training", ["LanguageModel", "ModelFiles", "TensorEngine", "Tokenization"]),

        // The methods: what a student is trained on and how it is asked
        shared("Distillation", numerics + ["Reasoning", "Schemas"]),

        // Pure text and contracts
        shared("Reasoning", resources: [.embedInCode("Prompts")]),
        shared("Schemas", ["Digests"], resources: [.embedInCode("Documents")]),

        // OpenAI's API: its wire forms for servers, and calls of servers
        shared("CompletionAPI", [hummingbird, nioCore]),
        shared("CompletionClient", ["Schemas", asyncHTTPClient, nioCore, nioHTTP1, nioPosix]),

        // What a teacher is asked
        shared("Teaching", ["Reasoning", "Schemas"]),

        // The built-in domain: word problems, a teacher that solves them, where its attempts go wrong
        shared("PracticeDomain", ["Reasoning", "Schemas", "Teaching"]),

        // Both papers' tables on the built-in domain
        shared(
            "Reproduction",
            numerics + ["Distillation", "Reasoning", "Schemas", "Teaching", "PracticeDomain"]
        ),

        // Plumbing
        shared("KafkaClient", ["CLibrdkafka", deque, logging, serviceLifecycle]),
        shared(
            "PostgresClient",
            ["CLibpq", deque, logging, serviceLifecycle, subprocess, systemPackage]
        ),
        shared(
            "ServiceRuntime",
            [
                "Digests", "FaultPoints", "KafkaClient", "PostgresClient", "Schemas", asyncHTTPClient, deque,
                coreMetrics,
                hummingbird, logging, metrics, nioCore, nioHTTP1, serviceLifecycle, tracing, unixSignals,
            ],
            resources: [.embedInCode("Migrations")]
        ),

        // What the services that train have in common, over plumbing and methods
        shared(
            "RunTraining",
            plumbing + numerics + ["Distillation", "Reasoning", logging, serviceLifecycle, subprocess, systemPackage]
        ),
    ]
        + service(
            "TeacherIngestion",
            core: plumbing + [
                "CompletionClient", "Reasoning", "Teaching", asyncHTTPClient, logging, metrics, serviceLifecycle,
                tracing,
            ],
            main: ["ServiceRuntime"]
        )
        + service(
            "KeyStepLocator",
            core: plumbing + [
                "Distillation", "LanguageModel", "Reasoning", "RunTraining", "Tokenization", logging, metrics,
                serviceLifecycle,
            ],
            main: ["ServiceRuntime"]
        )
        + service(
            "TemplateDistiller",
            core: plumbing + numerics + [
                "Distillation", "Reasoning", "RunTraining", logging, serviceLifecycle, tracing,
            ],
            main: ["ServiceRuntime"]
        )
        + service(
            "DPOTrainer",
            core: ["RunTraining", "Schemas", "ServiceRuntime", serviceLifecycle],
            main: ["ServiceRuntime"]
        )
        + service(
            "Evaluator",
            core: plumbing + numerics + [
                "CompletionClient", "Distillation", "FaultPoints", "Reasoning", logging, serviceLifecycle, subprocess,
                systemPackage, tracing,
            ],
            main: ["ServiceRuntime"]
        )
        + service(
            "TeacherSimulator",
            core: [
                "CompletionAPI", "Reasoning", "Schemas", "ServiceRuntime", "PracticeDomain", hummingbird, logging,
                nioCore, serviceLifecycle, unixSignals,
            ],
            main: ["ServiceRuntime"]
        )
        + service(
            "ErrataCLI",
            core: plumbing + numerics + [
                "CompletionAPI", "CompletionClient", "Distillation", "FaultPoints", "PracticeDomain", "Reasoning",
                "Reproduction", "RunTraining", "Teaching",
                argumentParser, asyncHTTPClient, hummingbird, logging, nioCore, nioHTTP1, serviceLifecycle, subprocess,
                systemPackage, tracing, unixSignals, yams,
            ],
            resources: [.embedInCode("Recipes")]
        )
        + [
            .target(
                name: "TestSupport",
                dependencies: ["PostgresClient", "Schemas", "ServiceRuntime", hummingbird, logging, nioCore],
                path: "Tests/Support",
                swiftSettings: swiftSettings
            ),
            .target(name: "DataSupport", path: "Tests/DataSupport", swiftSettings: swiftSettings),
            .target(
                name: "NumericSupport",
                dependencies: ["DataSupport", "LanguageModel", "TensorEngine"],
                path: "Tests/NumericSupport",
                swiftSettings: swiftSettings
            ),
            .target(
                name: "StageSupport",
                dependencies: plumbing + numerics + [
                    "Distillation", "Reasoning", "TestSupport", logging, serviceLifecycle,
                ],
                path: "Tests/StageSupport",
                swiftSettings: swiftSettings
            ),
            .executableTarget(
                name: "EngineBenchmark",
                dependencies: numerics + [argumentParser],
                path: "Tests/Benchmarks/Engine",
                swiftSettings: swiftSettings
            ),
            .executableTarget(
                name: "ParityProbe",
                dependencies: numerics + [argumentParser],
                path: "Tests/Parity/Probe",
                swiftSettings: swiftSettings
            ),
            .executableTarget(
                name: "AlignmentBenchmark",
                dependencies: ["Reasoning"],
                path: "Tests/Benchmarks/Alignment",
                swiftSettings: swiftSettings
            ),
            .executableTarget(
                name: "GradingBenchmark",
                dependencies: ["Reasoning"],
                path: "Tests/Benchmarks/Grading",
                swiftSettings: swiftSettings
            ),
            .target(name: "CKafkaLoop", dependencies: ["CLibrdkafka"], path: "Tests/Benchmarks/KafkaLoop"),
            .executableTarget(
                name: "DeliveryBenchmark",
                dependencies: plumbing + [
                    "CKafkaLoop", "Distillation", "KeyStepLocatorCore", "Reasoning", "Tokenization",
                    argumentParser, logging, serviceLifecycle,
                ],
                path: "Tests/Benchmarks/Delivery",
                swiftSettings: swiftSettings
            ),
            tests("FaultPointsTests", ["FaultPoints"]),
            tests("ModelFilesTests", ["DataSupport", "ModelFiles"]),
            tests("TensorEngineTests", ["DataSupport", "NumericSupport", "TensorEngine"]),
            tests("TemplateEngineTests", ["DataSupport", "ModelFiles", "TemplateEngine"], exclude: ["Goldens"]),
            tests("TokenizationTests", ["DataSupport", "ModelFiles", "Tokenization"]),
            tests("LanguageModelTests", numerics + ["DataSupport", "NumericSupport"]),
            tests("TrainingTests", numerics + ["DataSupport", "NumericSupport"]),
            tests(
                "DistillationTests",
                numerics + ["DataSupport", "Distillation", "NumericSupport", "PracticeDomain", "Reasoning", "Schemas"]
            ),
            tests("ReasoningTests", ["DataSupport", "PracticeDomain", "Reasoning", "Schemas"]),
            tests("PracticeDomainTests", ["DataSupport", "PracticeDomain", "Reasoning", "Schemas", "Teaching"]),
            tests(
                "ReproductionTests",
                numerics + ["Distillation", "Reasoning", "Reproduction", "Schemas", "Teaching"]
            ),
            tests(
                "TeacherSimulatorTests",
                [
                    "TeacherSimulatorCore", "CompletionAPI", "DataSupport", "PracticeDomain", asyncHTTPClient, logging,
                    nioCore, nioHTTP1,
                ]
            ),
            tests("SchemasTests", ["DataSupport", "Schemas"]),
            tests("CompletionClientTests", ["CompletionClient", "DataSupport", "Schemas", nioHTTP1]),
            tests("TeachingTests", ["Reasoning", "Schemas", "Teaching"]),
            tests("KafkaClientTests", ["KafkaClient"]),
            tests("PostgresClientTests", ["PostgresClient", "TestSupport"]),
            tests(
                "TeacherIngestionTests",
                plumbing + [
                    "DataSupport", "TestSupport", "TeacherIngestionCore", "CompletionClient", "Reasoning", "Teaching",
                    asyncHTTPClient, hummingbird, logging, nioCore,
                ]
            ),
            tests(
                "KeyStepLocatorTests",
                plumbing + [
                    "TestSupport",
                    "KeyStepLocatorCore", "Distillation", "LanguageModel", "Reasoning", "Tokenization", logging,
                ]
            ),
            tests(
                "TemplateDistillerTests",
                plumbing + numerics + [
                    "StageSupport", "TestSupport", "TemplateDistillerCore", "Distillation", "Reasoning",
                ]
            ),
            tests(
                "RunTrainingTests",
                plumbing + numerics + [
                    "StageSupport", "TestSupport", "RunTraining", "Distillation", "Reasoning", logging,
                ]
            ),
            tests(
                "EvaluatorTests",
                plumbing + numerics + [
                    "DataSupport", "StageSupport", "TestSupport", "EvaluatorCore", "Distillation", "Reasoning",
                ]
            ),
            tests(
                "ErrataCLITests",
                plumbing + [
                    "DataSupport", "StageSupport", "TestSupport", "ErrataCLICore", "Distillation", "LanguageModel",
                    "PracticeDomain", "Reasoning",
                    "Teaching",
                    "Tokenization", argumentParser, logging,
                ]
            ),
            tests(
                "ServiceRuntimeTests",
                plumbing + [
                    "DataSupport", "TestSupport", hummingbird, logging, metrics, nioCore, serviceLifecycle, tracing,
                ]
            ),
        ],
    swiftLanguageModes: [.v6]
)
