import Testing

@testable import Reasoning

@Suite("Inspectors' verdicts")
struct InspectorVerdictTests {
    @Test(
        "a verdict that accepts is read in the forms of real models",
        arguments: [
            "<Verdict>ok</Verdict>", "<verdict> OK. </verdict>", "<Verdict>ok", "**Verdict:** ok", "Verdict: OK",
            "### Verdict\nok", "### Final Verdict: **Correct**", "The verdict is ok.", "OK", "ok.",
            "All steps are correct.",
            "<Verdict>correct</Verdict>", "<Verdict>The template is valid.</Verdict>", "<Verdict>no errors</Verdict>",
            "<Verdict>not faulty</Verdict>", "```json\n{\"verdict\": \"ok\", \"part\": \"\", \"reason\": \"\"}\n```",
            "<Verdict>ok</Verdict><Part>None</Part><Reason>All is right, no error was found.</Reason>",
            "<think>Step 2 looks faulty. <Verdict>faulty</Verdict> No, it is fine.</think><Verdict>ok</Verdict>",
            "I checked all of it.\n\nVerdict: accepted", "<Verdict>ok</Verdict> and again <Verdict>ok</Verdict>",
        ]
    )
    func accepting(text: String) throws { #expect(try InspectorVerdict.parse(text).isOK) }

    @Test(
        "a verdict that refuses is read with its part and its reason",
        arguments: [
            ("<Verdict>faulty</Verdict><Part>Step2</Part><Reason>wrong sum</Reason>", "Step2", "wrong sum"),
            ("Verdict: faulty\nPart: Step2\nReason: wrong sum", "Step2", "wrong sum"),
            ("**Verdict:** Faulty\n**Part:** Step2\n**Reason:** wrong sum", "Step2", "wrong sum"),
            ("{\"verdict\": \"faulty\", \"part\": \"Step2\", \"reason\": \"wrong sum\"}", "Step2", "wrong sum"),
            ("<Verdict>incorrect</Verdict>", nil, nil), ("<Verdict>not ok</Verdict>", nil, nil),
            ("<Verdict>isn't correct</Verdict>", nil, nil),
            ("<Verdict>faulty: Step2 adds, though 3 is right</Verdict>", nil, "Step2 adds, though 3 is right"),
            ("Verdict: rejected", nil, nil), ("The verdict is: faulty", nil, nil), ("Faulty.", nil, nil),
        ] as [(String, String?, String?)]
    )
    func refusing(text: String, part: String?, reason: String?) throws {
        #expect(try InspectorVerdict.parse(text) == InspectorVerdict(isOK: false, part: part, reason: reason))
    }

    @Test(
        "what is not clear is no verdict, and above all not an acceptance",
        arguments: [
            "", "Hm.", "Step 1 adds 3 and 4.", "<Verdict></Verdict>", "<Verdict>maybe</Verdict>",
            "<Verdict>ok, but Step2 is wrong</Verdict>", "<Verdict>partially correct</Verdict>",
            "<Verdict>ok|faulty</Verdict>", "<Verdict>ok or faulty</Verdict>", "<Verdict>faulty|ok</Verdict>",
            "<Verdict>mostly right</Verdict>", "<Verdict>ok? no</Verdict>", "<Verdict>yes</Verdict>",
            "<Verdict>ok</Verdict><Verdict>faulty</Verdict>",
            "<Verdict>ok</Verdict><Part>Step2</Part><Reason>The sum is wrong.</Reason>",
            "<think>It is fine. <Verdict>ok</Verdict>", "{\"verdict\": 1}", "Verdict:",
        ]
    )
    func unclear(text: String) {
        let error = #expect(throws: ReasoningError.self) { try InspectorVerdict.parse(text) }
        #expect(error.map { Refusal($0).kind } == .inspectorUnreadable)
    }
}
