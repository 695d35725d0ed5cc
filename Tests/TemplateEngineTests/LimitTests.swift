import Foundation
import ModelFiles
import Testing

@testable import TemplateEngine

/// The error of a template that runs into a limit.
private func failure(
    _ source: String,
    limits: TemplateLimits = TemplateLimits(),
    _ variables: TemplateVariables = [:]
) -> TemplateError? {
    do {
        _ = try TemplateProgram(source: source, name: "limits", limits: limits).render(variables)
        return nil
    } catch {
        return error as? TemplateError
    }
}

@Suite("Limits", .timeLimit(.minutes(5)))
struct LimitTests {
    @Test(
        "texts that would grow without bounds end with an error",
        arguments: [
            "{{ 'a' * 1000000000 }}", "{{ 'a' * 9223372036854775807 }}", "{{ 'a'|center(1000000000) }}",
            "{{ 'a'.ljust(1000000000) }}", "{{ 'a'.rjust(9223372036854775807) }}", "{{ '1'.zfill(1000000000) }}",
            "{{ '%1000000000d' % 1 }}", "{{ '%-*s' % (1000000000, 'a') }}", "{{ '%.1000000000d' % 1 }}",
            "{{ '%.1000000000f' % 1 }}", "{{ '{:1000000000}'.format(1) }}", "{{ '{:.1000000f}'.format(1) }}",
            "{{ '{:>{w}}'.format('a', w=1000000000) }}", "{{ '{:01000000000,}'.format(1) }}",
            "{{ ('a' * 1000000).replace('a', 'b' * 1000) }}", "{{ ('a' * 1000000)|replace('', 'b' * 1000) }}",
            "{{ 'a\\tb'.expandtabs(1000000000) }}", "{{ 'a\\nb'|indent(1000000000) }}",
            "{{ ('\\n' * 1000000)|indent(1000, true, true) }}", "{{ [1, [2]]|tojson(indent=1000000000) }}",
            "{{ ('x' * 100000).join(['a'] * 1000) }}", "{{ (['a'] * 1000)|join('x' * 100000) }}",
            "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}",
            "{% set ns = namespace(s='&') %}{% for i in range(60) %}{% set ns.s = (ns.s|string|e)|string ~ ns.s|e %}{% endfor %}",
            "{{ ('é' * 10000000)|urlencode|urlencode }}", "{{ ('\\u0001' * 10000000)|tojson|tojson }}",
            "{{ strftime_now('%1000000000d') }}", "{{ ('a b ' * 100000)|wordwrap(1, wrapstring='x' * 10000) }}",
            "{% for i in range(100000) %}{{ 'a' * 100000 }}{% endfor %}",
        ]
    )
    func texts(source: String) {
        // Lower than the defaults, so that the tests are fast.
        let limits = TemplateLimits(outputBytes: 8 << 20, valueBytes: 4 << 20, totalBytes: 32 << 20)
        #expect(failure(source, limits: limits)?.code == .limit)
    }

    @Test(
        "lists that would grow without bounds end with an error",
        arguments: [
            "{{ [1] * 1000000000 }}", "{{ (1, 2) * 9223372036854775807 }}", "{{ range(1000000000) }}",
            "{{ range(0, 9223372036854775807, 1) }}", "{{ [1]|batch(1000000000, 0)|list }}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
            "{{ ('a' * 2000000)|list }}", "{{ ('a ' * 2000000).split() }}", "{{ ('a\\n' * 2000000).splitlines() }}",
            "{{ [1]|slice(2000000)|list }}", "{{ dict.fromkeys('a' * 2000000) }}",
            "{% macro m() %}{{ varargs|length }}{% endmacro %}{{ m(*('a' * 2000000)) }}",
        ]
    )
    func lists(source: String) {
        #expect(failure(source, limits: TemplateLimits(steps: 3_000_000))?.code == .limit)
    }

    @Test(
        "renderings without an end end with an error",
        arguments: [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace(n=0) %}{% for a in range(100000) %}{% for b in range(100000) if b < 0 %}{% endfor %}{% endfor %}",
            "{% for a in range(100000) %}{{ range(100000)|sum }}{% endfor %}",
            "{% for a in range(100000) %}{{ range(100000)|map('string')|select('eq', 'x')|list }}{% endfor %}",
            "{% set l = range(100000)|list %}{% for a in l %}{{ -1 in l }}{% endfor %}",
            "{% set l = range(100000)|list %}{% for a in l %}{{ l == l[:-1] + [0] }}{% endfor %}",
            "{% set l = range(100000)|list %}{% for a in l %}{{ l|sort|first }}{% endfor %}",
            "{% set s = 'ab' * 1000000 %}{% for a in range(100000) %}{{ 'ac' in s }}{% endfor %}",
            "{% set s = 'ab' * 1000000 %}{% for a in range(100000) %}{{ s == s[:-1] ~ 'c' }}{% endfor %}",
            "{% set s = 'ab' * 1000000 %}{% for a in range(100000) %}{{ s[5] }}{{ s|length }}{% endfor %}",
            "{% set s = 'ab' * 1000000 %}{% for a in range(100000) %}{{ s.find('c') }}{{ s is upper }}{% endfor %}",
            "{% set s = 'ab' * 1000000 %}{% for a in range(100000) %}{{ s < s }}{{ {s: 1}[s] }}{% endfor %}",
            "{% set s = 'a' * 1000000 %}{{ s.find('a' * 500000 ~ 'b') }}{{ s.count('a' * 500000) }}{% for a in range(100000) %}{{ s.rfind('b' ~ s[:500000]) }}{% endfor %}",
        ]
    )
    func endless(source: String) {
        let error = failure(source, limits: TemplateLimits(steps: 1_000_000))
        #expect(error?.code == .limit)
    }

    @Test(
        "macros and loops that call themselves without an end end with an error",
        arguments: [
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% macro a() %}{% if true %}{{ b() }}{% endif %}{% endmacro %}{% macro b() %}{% for i in [1] %}{{ a() }}{% endfor %}{% endmacro %}{{ a() }}",
            "{% macro m() %}{{ caller() }}{% call m() %}{% endcall %}{% endmacro %}{% call m() %}{% endcall %}",
            "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{% block a %}{{ self.a() }}{% endblock %}",
            "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
            "{% set ns = namespace(g=[1]) %}{% for i in range(1000) %}{% set ns.g = ns.g|map('string') %}{% endfor %}{{ ns.g|list }}",
            "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}",
            "{% set ns = namespace(d={}) %}{% for i in range(100000) %}{% set ns.d = {'a': ns.d} %}{% endfor %}",
            "{% set ns = namespace(c=1) %}{% for i in range(100000) %}{% set ns.c = cycler(ns.c) %}{% endfor %}",
            "{% set ns = namespace(f='') %}{% for i in range(100000) %}{% set ns.f = (ns.f, 1).count %}{% endfor %}",
        ]
    )
    func recursion(source: String) {
        #expect(failure(source)?.code == .limit)
    }

    @Test("long chains of objects that can change are let go of without recursion")
    func chains() {
        for source in [
            "{% set ns = namespace(n=none) %}{% for i in range(100000) %}{% set ns.n = namespace(n=ns.n) %}{% endfor %}",
            "{% set ns = namespace(n=none) %}{% for i in range(100000) %}{% set ns.n = loop %}{% for j in [ns.n] %}{% set ns.n = loop %}{% endfor %}{% endfor %}",
            "{% macro m(f) %}{% macro n() %}{{ f is defined }}{% endmacro %}{% set ns.f = n %}{% endmacro %}{% set ns = namespace(f=1) %}{% for i in range(20000) %}{% set x = m(ns.f) %}{% endfor %}",
            "{% set ns = namespace(u=1) %}{% for i in range(100000) %}{% set ns.u = [ns.u].x %}{% endfor %}",
        ] {
            #expect(failure(source)?.message == nil, "\(source)")
        }
    }

    @Test(
        "sources that nest too deeply are refused",
        arguments: [
            ("{{ ", "(", "1", ")", " }}"), ("{{ ", "[", "", "]", " }}"), ("{{ ", "{1: ", "1", "}", " }}"),
            ("{{ ", "-", "1", "", " }}"), ("{{ ", "not ", "1", "", " }}"), ("{{ ", "f(", "", ")", " }}"),
            ("{{ ", "a[", "1", "]", " }}"), ("", "{% if 1 %}", "", "{% endif %}", ""),
            ("", "{% for x in y %}", "", "{% endfor %}", ""), ("", "{% filter upper %}", "", "{% endfilter %}", ""),
            ("", "{% macro m() %}", "", "{% endmacro %}", ""), ("", "{% set x %}", "", "{% endset %}", ""),
            ("{{ ", "1 + ", "1", "", " }}"), ("{{ ", "1 ** ", "1", "", " }}"), ("{{ ", "a and ", "a", "", " }}"),
            ("{{ ", "1 if 1 else ", "1", "", " }}"), ("{{ a", "|upper", "", "", " }}"),
            ("{{ a", ".b", "", "", " }}"), ("{{ a", "()", "", "", " }}"), ("{{ a", " is x", "", "", " }}"),
            ("{{ 1", " if 1", "", "", " }}"), ("{{ x is in ", "(", "1", ")", " }}"),
            ("{% set ", "(", "x", ")", " = 1 %}"), ("{% with a = ", "[", "", "]", " %}{% endwith %}"),
        ]
    )
    func nesting(prefix: String, open: String, middle: String, close: String, suffix: String) {
        func source(_ depth: Int) -> String {
            prefix + String(repeating: open, count: depth) + middle + String(repeating: close, count: depth) + suffix
        }
        let error = failure(source(100_000))
        #expect(error?.code == .limit || error?.code == .syntax)
        #expect(failure(source(20))?.code != .limit)
    }

    @Test("each limit can be set, and is held to exactly where that is promised")
    func settings() throws {
        #expect(failure("12345", limits: TemplateLimits(sourceBytes: 4))?.code == .limit)
        #expect(failure("12345", limits: TemplateLimits(sourceBytes: 5)) == nil)
        #expect(failure("{{ 'a' * 5 }}", limits: TemplateLimits(outputBytes: 4))?.code == .limit)
        #expect(failure("{{ 'a' * 5 }}", limits: TemplateLimits(outputBytes: 5)) == nil)
        #expect(failure("{{ 'a' * 5 }}", limits: TemplateLimits(valueBytes: 4))?.code == .limit)
        #expect(failure("{{ [1, 2, 3] }}", limits: TemplateLimits(items: 2))?.code == .limit)
        #expect(failure("{{ [[1]] }}", limits: TemplateLimits(valueDepth: 1))?.code == .limit)
        #expect(failure("{{ [[1]] }}", limits: TemplateLimits(valueDepth: 2)) == nil)
        #expect(failure("{{ ((1)) }}", limits: TemplateLimits(nesting: 2))?.code == .limit)
        #expect(failure("{{ 'a' * 50 }}{{ 'a' * 60 }}", limits: TemplateLimits(totalBytes: 100))?.code == .limit)
        #expect(failure("{% if 1 %}{{ 1 + 1 }}{% endif %}", limits: TemplateLimits(depth: 3))?.code == .limit)
        #expect(failure("{% if 1 %}{{ 1 + 1 }}{% endif %}", limits: TemplateLimits(depth: 4)) == nil)
        #expect(failure("{{ 1 }}{{ 1 }}{{ 1 }}", limits: TemplateLimits(steps: 3))?.code == .limit)
        let deep = (0..<200).reduce(JSONNode.array([])) { node, _ in .array([node]) }
        #expect(failure("{{ 1 }}", ["deep": deep])?.code == .limit)
    }

    @Test("the deepest rendering that the limits allow fits into half a megabyte of stack")
    func stack() async throws {
        let deepest = [
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% macro m() %}{% if true %}{% for i in [1] %}{{ [(1 + {'a': m()|upper}.a|length)] }}{% endfor %}{% endif %}{% endmacro %}{{ m() }}",
            "{% macro m() %}{% set x %}{{ [1]|map('upper')|map('replace', m(), 'a')|list }}{% endset %}{% endmacro %}{{ m() }}",
            "{% macro m() %}{{ caller() }}{% call m() %}y{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}",
            "{% for x in [1] recursive %}{% generation %}{{ 'a'.replace('a', loop([1])) }}{% endgeneration %}{% endfor %}",
            "{{ " + String(repeating: "(", count: 45) + "1" + String(repeating: ")", count: 45) + " }}",
            "{{ " + String(repeating: "[", count: 45) + "1" + String(repeating: "]", count: 45) + " }}",
            "{{ 1" + String(repeating: " + 1", count: 199) + " }}",
            String(repeating: "{% if 1 %}", count: 99) + String(repeating: "{% endif %}", count: 99),
        ]
        let errors = await withCheckedContinuation { continuation in
            let thread = Thread {
                continuation.resume(returning: deepest.map { failure($0)?.code })
            }
            #if DEBUG
            // Without optimisation every call takes several times as much.
            thread.stackSize = 8 << 20
            #else
            thread.stackSize = 512 << 10
            #endif
            thread.start()
        }
        #expect(errors.prefix(5).allSatisfy { $0 == .limit })
        #expect(errors.dropFirst(5).allSatisfy { $0 == nil })
    }
}
