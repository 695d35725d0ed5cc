import Testing

@testable import Schemas

@Suite("Texts for the database")
struct WithoutNULTests {
    @Test(
        "each NUL is replaced, also one that a mark joins",
        arguments: [
            ("a\0b", "a\u{FFFD}b"), ("\0\u{301}", "\u{FFFD}\u{301}"), ("\r\n\0", "\r\n\u{FFFD}"),
            ("caf\u{65}\u{301}", "cafe\u{301}"),
            ("", ""),
        ]
    )
    func replaced(text: String, expected: String) {
        #expect(Array(text.withoutNUL.unicodeScalars) == Array(expected.unicodeScalars))
    }
}
