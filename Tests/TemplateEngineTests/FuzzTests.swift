import DataSupport
import ModelFiles
import Testing

@testable import TemplateEngine

/// Changes templates at random.
private struct Mutator {
    let sources: [[UInt8]]
    private static let fragments = [
        "{{ ", " }}", "{% ", " %}", "{%- ", " -%}", "{#", "#}", "{% endif %}", "{% endfor %}", "{% else %}", "(", ")",
        "[",
        "]", "{", "}", "'", "\"", "\\", "|", "~", "**", "* 99999999", " is ", " not ", " in ", " if ", " else ",
        " for ",
        "loop", "messages", "namespace", "range(9999)", "self", "caller()", "|tojson", "|map('upper')", "|list",
        "|join",
        "[::-1]", "[-1]", ".items()", ".__class__", "%s", "% 0", "// 0", "\u{0}", "\u{FEFF}", "\u{1F600}", "\r\n",
        "1e999",
        "9223372036854775807", "{% break %}", "{% generation %}", "{% endgeneration %}", "{% raw %}", "{% macro m() %}",
        "{% endmacro %}", "{{ m() }}", "{% set x = x %}", "recursive", "loop(messages)",
    ].map { Array($0.utf8) }
    private static let bombs = [
        "(", "[", "{", "{% if 1 %}", "{% for x in messages %}", "-", "not ", "|e", ".a", "{% set x %}",
    ]

    func mutant(_ random: inout SplitMix64) -> [UInt8] {
        var template = sources.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&template, &random) }
        return template
    }

    private func place(_ template: [UInt8], _ random: inout SplitMix64) -> Int {
        Int.random(in: 0...template.count, using: &random)
    }

    /// The token around a place: letters and digits that belong together, or one other byte.
    private func token(_ template: [UInt8], _ random: inout SplitMix64) -> Range<Int> {
        guard !template.isEmpty else { return 0..<0 }
        func isWord(_ byte: UInt8) -> Bool {
            byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A
        }
        var start = Int.random(in: 0..<template.count, using: &random)
        var end = start + 1
        guard isWord(template[start]) else { return start..<end }
        while start > 0, isWord(template[start - 1]) { start -= 1 }
        while end < template.count, isWord(template[end]) { end += 1 }
        return start..<end
    }

    private func mutate(_ template: inout [UInt8], _ random: inout SplitMix64) {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: template.removeSubrange(token(template, &random))
        case 1:
            let token = token(template, &random)
            template.insert(contentsOf: template[token], at: token.upperBound)
        case 2:
            let (one, other) = (token(template, &random), token(template, &random))
            let moved = Array(template[one])
            template.replaceSubrange(one, with: Array(template[other]))
            template.insert(contentsOf: moved, at: min(other.lowerBound, template.count))
        case 3:
            template.insert(
                contentsOf: Self.fragments.randomElement(using: &random) ?? [],
                at: place(template, &random)
            )
        case 4:
            for _ in 0..<Int.random(in: 1...8, using: &random) where !template.isEmpty {
                template[Int.random(in: 0..<template.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
        case 5:
            let bomb = Array((Self.bombs.randomElement(using: &random) ?? "").utf8)
            let count = Int.random(in: 1...2000, using: &random)
            template.insert(contentsOf: repeatElement(bomb, count: count).joined(), at: place(template, &random))
        case 6:
            let other = sources.randomElement(using: &random) ?? []
            template = Array(template[..<place(template, &random)] + other[place(other, &random)...])
        default:
            let bounds = [place(template, &random), place(template, &random)].sorted()
            template.removeSubrange(bounds[0]..<bounds[1])
        }
    }
}

@Suite("Fuzzing", .timeLimit(.minutes(5)))
struct FuzzTests {
    @Test("10,000 mutated templates neither crash nor hang nor pass their limits")
    func mutants() throws {
        let golden = try GoldenFile.shared.get()
        let snippets = golden.snippets.sorted { $0.key < $1.key }.flatMap(\.value)
        let chats = golden.chats.sorted { $0.key < $1.key }.flatMap { $0.value.prefix(1) }.map(\.case)
        // Chat templates are few, but the more interesting ones.
        let all = snippets.map(\.template) + repeatElement(chats.map(\.template), count: 20).joined()
        let mutator = Mutator(sources: all.map { Array($0.utf8) })
        let variables = try #require(golden.chats["thinking-and-tools"]?.first { $0.conversation == "two-calls" }).case
            .variables
        let limits = TemplateLimits(
            steps: 20000,
            outputBytes: 1 << 16,
            valueBytes: 1 << 16,
            items: 10000,
            totalBytes: 1 << 20
        )
        var rendered = 0
        var codes: Set<TemplateError.Code> = []
        for seed in 1...10000 {
            var random = SplitMix64(state: UInt64(seed))
            let source = String(decoding: mutator.mutant(&random), as: UTF8.self)
            do {
                let program = try TemplateProgram(source: source, name: "mutant", limits: limits)
                let rendering = try program.render(variables, at: golden.moment)
                rendered += 1
                #expect(rendering.bytes.count <= limits.outputBytes, "seed \(seed)")
                #expect(String(validating: rendering.bytes, as: UTF8.self) != nil, "seed \(seed)")
                #expect(
                    rendering.generationSpans.allSatisfy { $0.upperBound <= rendering.bytes.count },
                    "seed \(seed)"
                )
            } catch let error as TemplateError {
                codes.insert(error.code)
                #expect(error.template == "mutant", "seed \(seed)")
            }
        }
        // Mutants that all fail alike would test little.
        #expect(rendered > 1000)
        #expect(codes.isSuperset(of: [.syntax, .undefined, .type, .limit, .raised]))
    }
}
