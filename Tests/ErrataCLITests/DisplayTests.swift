import ArgumentParser
import Foundation
import Schemas
import ServiceRuntime
import Testing

@testable import ErrataCLICore

@Suite("What the commands print")
struct DisplayTests {
    private let lines = [
        ProgressBoard.Line(name: "thought templates", done: 250, total: 1000, note: "loss 1.234"),
        ProgressBoard.Line(name: "a", done: 0, total: 0, note: ""),
        ProgressBoard.Line(name: "a name that is longer than its column", done: 7, total: 5, note: "x"),
        ProgressBoard.Line(name: "problems", done: 1, total: 3, note: String(repeating: "long note ", count: 30)),
    ]

    @Test("no line of the board is wider than the terminal", arguments: [1, 10, 40, 80, 200])
    func widths(width: Int) {
        for line in lines {
            let text = ProgressBoard.render(line, width: width)
            #expect(text.count <= width)
            #expect(!text.contains("\n"))
        }
    }

    @Test("the bar gives way first: at 40 columns the counts are there, at 80 and 200 the bar and the note, too")
    func board() {
        let line = lines[0]
        #expect(ProgressBoard.render(line, width: 40) == "thought templates      250/1000  loss 1…")
        let bar = String(repeating: "█", count: 6) + String(repeating: "░", count: 18)
        let full = "thought templates      \(bar) 250/1000  loss 1.234"
        #expect(ProgressBoard.render(line, width: 80) == full)
        #expect(ProgressBoard.render(line, width: 200) == full)
        #expect(ProgressBoard.render(line) == full)
        // More than all is full.
        #expect(ProgressBoard.render(lines[2]).contains(String(repeating: "█", count: 24) + " 7/5"))
        // Unknown totals have no bar.
        #expect(ProgressBoard.render(lines[1]) == "a                      0")
    }

    @Test("where output is no terminal the board writes whole lines and no control characters")
    func plain() throws {
        let pipe = Pipe()
        var board = ProgressBoard(output: pipe.fileHandleForWriting)
        board.show(lines)
        // Nothing new: nothing is written.
        board.show(lines)
        board.show([.init(name: "end", done: 1, total: 1, note: "")], final: true)
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        #expect(!text.contains("\u{1B}"))
        #expect(text.split(separator: "\n").count == lines.count + 1)
        #expect(text.hasSuffix("1/1\n"))
    }

    @Test("a table's columns are as wide as their widest cell, numbers stand right, and no line ends in blanks")
    func table() {
        var table = TextTable([("name", .left), ("n", .right), ("note", .left)])
        table.add(["a", "1", "x"])
        table.add(["longer", "1000"])
        #expect(
            table.rendered() == """
                name       n  note
                ──────  ────  ────
                a          1  x
                longer  1000
                """
        )
    }

    @Test("the printed contracts are the files of the repository, all of them, and an unknown name is told")
    func schemas() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Shared/Schemas/Documents")
        var names: Set<String> = ["asyncapi.yaml"]
        for type in EventType.allCases {
            let name = "\(type.rawValue.dropFirst("errata.".count)).json"
            names.insert(name)
            #expect(try SchemaCommand.document(type.rawValue) == Data(contentsOf: folder.appending(path: name)))
        }
        #expect(
            try SchemaCommand.document("asyncapi") == Data(contentsOf: folder.appending(path: "asyncapi.yaml"))
        )
        let metrics = String(decoding: try SchemaCommand.document("metrics"), as: UTF8.self)
        let page = try String(contentsOf: root.appending(path: "compose/METRICS.md"), encoding: .utf8)
        #expect("\(metrics)\n" == page, "write it anew: errata schema metrics > compose/METRICS.md")
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == names)
        let error = #expect(throws: (any Error).self) { try SchemaCommand.document("errata.evaluation.v9") }
        #expect(ErrataCommand.message(for: try #require(error)).contains("errata schema --list"))
    }

    @Test("a state folder is one system's: a second is told which folder, and it is free once the first is gone")
    func lock() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try withExtendedLifetime(StateLock(state: folder)) {
            let error = #expect(throws: CLIError.self) { _ = try StateLock(state: folder) }
            #expect(error?.description.contains(folder.path) == true)
            #expect(error?.description.contains("--state") == true)
        }
        _ = try StateLock(state: folder)
        let error = #expect(throws: CLIError.self) { _ = try StateLock(state: folder.appending(path: "missing")) }
        #expect(error?.description.contains("up.lock cannot be opened") == true)
    }

    @Test("the endpoint file is read as it was written; a damaged one says what to do")
    func endpoint() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let endpoint = LocalEndpoint(
            kafka: "k:1",
            postgres: "postgres:///d",
            teacher: "http://t",
            services: ["evaluator": .init(pid: 7, http: "http://h")]
        )
        try endpoint.write(to: folder)
        // It may hold a password, and the umask of most lets others read.
        let file = folder.appending(path: LocalEndpoint.fileName).path
        var status = stat()
        #expect(lstat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let read = try LocalEndpoint.read(from: folder)
        #expect(read.kafka == "k:1")
        #expect(read.services["evaluator"]?.pid == 7)
        try Data("{".utf8).write(to: folder.appending(path: LocalEndpoint.fileName))
        let error = #expect(throws: CLIError.self) { try LocalEndpoint.read(from: folder) }
        #expect(error?.description.contains("is damaged") == true)
        LocalEndpoint.remove(from: folder)
        #expect(throws: CLIError.self) { try LocalEndpoint.read(from: folder) }
    }
}

@Suite("The live screen")
struct LiveScreenTests {
    @Test("a drawing begins at the top, clears what was longer, and keeps within the terminal")
    func drawing() {
        let wide = LiveScreen.drawing("one\n\ntwo", size: nil)
        #expect(wide == "\u{1B}[Hone\u{1B}[K\r\n\u{1B}[K\r\ntwo\u{1B}[K\u{1B}[J")
        let small = LiveScreen.drawing("abcdef\nb\nc\nd", size: (columns: 4, rows: 3))
        #expect(small == "\u{1B}[Habc…\u{1B}[K\r\nb\u{1B}[K\r\n…\u{1B}[K\u{1B}[J")
    }

    @Test("a training's rate is over the time between two notes of its progress")
    func rates() {
        func training(_ tokens: Int) -> SystemFigures.Training {
            SystemFigures.Training(
                id: StageID(run: "r", round: 1, stage: "a"),
                runName: "r",
                step: 1,
                totalSteps: 2,
                loss: nil,
                tokens: tokens,
                seconds: 100
            )
        }
        let start = ContinuousClock.now
        var rates = TrainingRates()
        rates.add([training(100)], at: start)
        #expect(rates.perSecond.isEmpty)
        rates.add([training(300)], at: start + .seconds(2))
        #expect(rates.perSecond.values.map { $0 } == [100])
        // Nothing new was noted: the rate stays as it is until something is.
        rates.add([training(300)], at: start + .seconds(4))
        #expect(rates.perSecond.values.map { $0 } == [100])
        rates.add([training(700)], at: start + .seconds(10))
        #expect(rates.perSecond.values.map { $0 } == [50])
        // Begun again from a checkpoint, and then ended.
        rates.add([training(50)], at: start + .seconds(11))
        #expect(rates.perSecond.isEmpty)
        rates.add([], at: start + .seconds(12))
        #expect(rates.perSecond.isEmpty)
    }

    @Test(
        "waiting times are told in a unit that suits",
        arguments: [(7.2, "7 s"), (150, "2 min"), (9_000, "2.5 h"), (200_000, "2.3 d")]
    )
    func times(seconds: Double, text: String) {
        #expect(StatusText.time(seconds) == text)
    }
}
