import Foundation
import Testing

@testable import RunTraining

@Suite("What an engine tells")
struct EngineMetricsTests {
    private func withFile(_ body: (URL) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "errata-metrics-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file)
    }

    private func append(_ text: String, to file: URL) throws {
        if !FileManager.default.fileExists(atPath: file.path) { try Data().write(to: file) }
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
    }

    private func line(_ step: Int) -> String { "{\"step\": \(step)}\n" }

    @Test("each look tells the last of the lines that are new and whole, and passes over those that cannot be read")
    func follows() throws {
        try withFile { file in
            var metrics = EngineMetrics(file)
            #expect(metrics.latest() == nil, "there is no file yet")
            try append("\(line(1))\(line(2)){\"st", to: file)
            #expect(metrics.latest()?.step == 2)
            #expect(metrics.latest() == nil, "nothing new is whole")
            try append("ep\": 3}\nnonsense\n\n", to: file)
            #expect(metrics.latest()?.step == 3)
            try append("nonsense\n", to: file)
            #expect(metrics.latest() == nil)
        }
    }

    @Test("a line that is too long is passed over, also where it comes in pieces, and the next one is read")
    func longLines() throws {
        try withFile { file in
            var metrics = EngineMetrics(file)
            let blanks = String(repeating: " ", count: EngineMetrics.longestLine)
            for _ in 0..<3 {
                try append(blanks, to: file)
                #expect(metrics.latest() == nil)
            }
            try append(line(1), to: file)
            #expect(metrics.latest() == nil, "it is the end of the long line")
            try append("\(line(2))\(blanks)\(line(3))", to: file)
            #expect(metrics.latest()?.step == 2)
            try append(line(4), to: file)
            #expect(metrics.latest()?.step == 4)
        }
    }

    @Test("a file that was cut is read from its start")
    func cut() throws {
        try withFile { file in
            var metrics = EngineMetrics(file)
            try append("\(line(1))\(line(2)){\"step", to: file)
            #expect(metrics.latest()?.step == 2)
            try Data(line(1).utf8).write(to: file)
            #expect(metrics.latest()?.step == 1)
            try append(line(5), to: file)
            #expect(metrics.latest()?.step == 5)
        }
    }

    @Test("of a long file the end is read")
    func longFile() throws {
        try withFile { file in
            var metrics = EngineMetrics(file)
            try append(String(repeating: line(6), count: EngineMetrics.window / 4), to: file)
            try append(line(7), to: file)
            #expect(metrics.latest()?.step == 7)

            try Data(repeating: UInt8(ascii: "x"), count: 2 * EngineMetrics.window).write(to: file)
            var others = EngineMetrics(file)
            #expect(others.latest() == nil)
            try append("\n\(line(8))", to: file)
            #expect(others.latest()?.step == 8)
        }
    }

    @Test("the last words of a long output are its last lines")
    func lastWords() throws {
        try withFile { file in
            #expect(EngineProcess.lastWords(file) == "it wrote nothing")
            try append(String(repeating: "noise\n", count: 10_000), to: file)
            try append("one\n two \nthree\n", to: file)
            #expect(EngineProcess.lastWords(file) == "one | two | three")
        }
    }
}
