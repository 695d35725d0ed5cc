import Foundation
import ModelFiles
import Testing

@testable import TemplateEngine

private func text(_ string: String) -> JSONNode { .string(Array(string.utf8)) }

private func render(_ source: String, _ variables: TemplateVariables = [:]) throws -> Rendering {
    try TemplateProgram(source: source, name: "test").render(variables)
}

/// The error of reading or rendering a template.
private func failure(_ source: String, _ variables: TemplateVariables = [:]) -> TemplateError? {
    do {
        _ = try TemplateProgram(source: source, name: "chat.jinja").render(variables)
        return nil
    } catch {
        return error as? TemplateError
    }
}

@Suite("Template programs")
struct ProgramTests {
    @Test(
        "an error has a code, the template's name and the line",
        arguments: [
            ("a\n{% if %}\n", TemplateError.Code.syntax, 2),
            ("a\nb\n{{ x | nosuch }}", .syntax, 3),
            ("{% for m in messages %}\n{{ m }}", .syntax, 2),
            ("\n\n{{ raise_exception('no') }}", .raised, 3),
            ("{% if true %}\n\n{{ missing.x }}{% endif %}", .undefined, 3),
            ("{{ 'a'\n + 1 }}", .type, 1),
            ("a\n{{ 1 // 0 }}", .value, 2),
            ("\n{{ ''.__class__.__mro__ }}", .security, 2),
            ("\n{% set ns = namespace() %}\n{% set ns._x = 1 %}", .security, 3),
            ("{% macro m() %}\n{{ 1 + none }}\n{% endmacro %}\n{{ m() }}", .type, 2),
            ("{{ range(1000000) }}", .limit, 1),
            ("\n{{ [1, 2] | random }}", .unsupported, 2),
            ("{% include 'other' %}", .unsupported, 1),
        ] as [(String, TemplateError.Code, Int)]
    )
    func errors(source: String, code: TemplateError.Code, line: Int) throws {
        let error = try #require(failure(source))
        #expect(error.code == code)
        #expect(error.line == line)
        #expect(error.template == "chat.jinja")
        #expect(error.description.hasPrefix("template chat.jinja, line \(line): "))
    }

    @Test("what a template refuses is an error with its words")
    func refusal() throws {
        let error = try #require(failure("{{ raise_exception('Roles must alternate: ' ~ role) }}", ["role": text("x")]))
        #expect(error.code == .raised)
        #expect(error.message == "Roles must alternate: x")
    }

    @Test(
        "messages say what is wrong as Jinja says it",
        arguments: [
            ("{{ missing.x }}", "'missing' is undefined"),
            ("{{ user.x.y }}", "'dict object' has no attribute 'x'"),
            ("{{ user.tags[5].x }}", "list object has no element 5"),
            ("{% for %}", "Expected an expression, got 'end of statement block'"),
            (
                "{% if true %}{% endfor %}",
                "Encountered unknown tag 'endfor'. Jinja was looking for the following tags: 'elif' or 'else' or "
                    + "'endif'. The innermost block that needs to be closed is 'if'."
            ),
            ("{{ 'a' ", "unexpected end of template, expected 'end of print statement'."),
            ("{{ [].append(1) }}", "access to attribute 'append' of 'list' object is unsafe."),
        ]
    )
    func messages(source: String, message: String) throws {
        let user: JSONNode = .object([(Array("tags".utf8), .array([]))])
        #expect(try #require(failure(source, ["user": user])).message == message)
    }

    @Test("texts are compared, counted and cut by Unicode scalars")
    func scalars() throws {
        let variables: TemplateVariables = ["one": text("e\u{301}"), "other": text("\u{E9}")]
        let template =
            "{{ one == other }} {{ one|length }} {{ other|length }} {{ one[0] }} {{ {one: 1}[other] is defined }}"
        #expect(try render(template, variables).text == "False 2 1 e False")
        #expect(try render("{{ '👩‍👩‍👧'|length }}{{ '\r\n' | length }}{{ '🇩🇪'[:1]|length }}").text == "511")
    }

    @Test("spans of generation blocks are ranges of the text's bytes")
    func spans() throws {
        let rendering = try render("é{% generation %}über{% endgeneration %}-{% generation %}{% endgeneration %}")
        let spans = rendering.generationSpans
        #expect(spans == [2..<7, 8..<8])
        #expect(String(decoding: rendering.bytes[spans[0]], as: UTF8.self) == "über")
    }

    @Test("a program can be rendered again and at the same time")
    func reuse() async throws {
        let program = try TemplateProgram(
            source:
                "{% set ns = namespace(n=0) %}{% for i in range(n) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
            name: "sum"
        )
        let texts = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for count in 1...32 {
                group.addTask {
                    (count, try program.render(["n": .number(Array(String(count).utf8))]).text)
                }
            }
            return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
        }
        for (count, text) in texts { #expect(text == String(count * (count - 1) / 2)) }
        #expect(texts.count == 32)
    }

    @Test("variables keep their order, the last of a repeated name counts")
    func variables() throws {
        let members = try #require(JSONNode.parse(Array(#"{"b": 1, "a": 2, "b": 3}"#.utf8)).object)
        var variables: TemplateVariables = ["object": .object(members)]
        #expect(try render("{{ object }}", variables).text == "{'b': 3, 'a': 2}")
        variables["object"] = nil
        variables["other"] = .null
        variables.merge(["other": .bool(true), "more": text("x")])
        #expect(try render("{{ object is defined }}{{ other }}{{ more }}", variables).text == "FalseTruex")
        #expect(TemplateVariables(members)["b"]?.integer == 3)
    }

    @Test("JSON numbers become what Python makes of them")
    func numbers() throws {
        let node = try JSONNode.parse(Array("[1, 1.0, -0, -0.0, 1e5, 1E-7, 1e400, 98765432109876543210]".utf8))
        let rendering = try render("{{ n }}|{{ n|tojson }}", ["n": node])
        let numbers = "[1, 1.0, 0, -0.0, 100000.0, 1e-07, inf, 98765432109876543210]"
        #expect(rendering.text == numbers + "|" + numbers.replacing("inf", with: "Infinity"))
        #expect(failure("{{ n[7] + 1 }}", ["n": node])?.code == .limit)
    }

    @Test("integers beyond 64 bits are an error, not another number")
    func overflow() {
        for source in [
            "{{ 9223372036854775807 + 1 }}", "{{ 9223372036854775807 * 2 }}", "{{ 2 ** 64 }}", "{{ 10 ** 1000000 }}",
            "{{ -9223372036854775807 - 2 }}", "{{ 99999999999999999999 }}", "{{ '99999999999999999999'|int }}",
            "{{ 1e30|int }}", "{{ (-9223372036854775807 - 1) // -1 }}", "{{ -(-9223372036854775807 - 1) }}",
            "{{ (-9223372036854775807 - 1)|abs }}", "{{ [9223372036854775807, 1]|sum }}", "{{ '%d' % 1e30 }}",
        ] {
            #expect(failure(source)?.code == .limit, "\(source)")
        }
        #expect(failure("{{ (-9223372036854775807 - 1) % -1 }}") == nil)
    }

    @Test("a moment is what the clocks of a time zone show")
    func moments() throws {
        let utc = try #require(TimeZone(secondsFromGMT: 0))
        let east = try #require(TimeZone(secondsFromGMT: 5 * 3600 + 1800))
        let date = Date(timeIntervalSince1970: 951_782_399.25)
        let expected = TemplateMoment(
            year: 2000,
            month: 2,
            day: 28,
            hour: 23,
            minute: 59,
            second: 59,
            microsecond: 250_000
        )
        #expect(TemplateMoment(date, in: utc) == expected)
        let later = TemplateMoment(year: 2000, month: 2, day: 29, hour: 5, minute: 29, second: 59, microsecond: 250_000)
        #expect(TemplateMoment(date, in: east) == later)
        #expect(
            TemplateMoment(Date(timeIntervalSince1970: -1), in: utc)
                == TemplateMoment(year: 1969, month: 12, day: 31, hour: 23, minute: 59, second: 59)
        )
        #expect(TemplateMoment(.distantFuture, in: utc).year == 4001)
        #expect(TemplateMoment(Date(timeIntervalSince1970: 1e300), in: utc).year == 9999)
        #expect(TemplateMoment(Date(timeIntervalSince1970: -1e300), in: utc).year == 1)
        #expect(TemplateMoment(year: 2023, month: 2, day: 29) == nil)
        #expect(TemplateMoment(year: 2024, month: 2, day: 29) != nil)
        #expect(TemplateMoment(year: 2024, month: 1, day: 1, hour: 24) == nil)
    }

    @Test("nothing that a template makes outlives its rendering")
    func lifetimes() throws {
        // Macros, namespaces and loops that refer to each other in circles.
        let source = """
            {% set ns = namespace() %}{% set ns.me = ns %}{% macro m() %}{{ ns.me is defined }}{% endmacro %}
            {% set ns.m = m %}{% for i in [1, 2] %}{% set ns.loop = loop %}{% set ns.f = loop.cycle %}{% endfor %}
            {% macro outer() %}{{ caller() }}{% endmacro %}{% call outer() %}{{ m() }}{% endcall %}
            {% for i in [1] %}{% block b scoped %}{% set ns.block = self %}{% endblock %}{% endfor %}{% set me = self %}
            {% set ns.lazy = [ns]|map('string') %}{% for i in [1] recursive %}{% set ns.again = loop %}{% endfor %}
            """
        let template = try Compiler.compile(try Parser.statements(of: source, nesting: 100))
        let moment = try #require(TemplateMoment(year: 2026, month: 1, day: 2))
        weak var context: Context?
        try { () throws in
            let interpreter = Interpreter(template, limits: TemplateLimits(), moment: moment)
            defer { interpreter.finish() }
            let variables = try interpreter.context([:])
            context = variables
            try interpreter.render(template.root, variables)
            #expect(String(decoding: interpreter.output, as: UTF8.self).contains("True"))
        }()
        #expect(context == nil)
    }
}
