import Testing

@testable import TeacherIngestionCore

@Suite("The pace of calls")
struct TeacherPaceTests {
    /// Calls one after the other, as fast as they may, of a server that answers `rate` a second and refuses more, for a
    /// while in its own time.
    private func serve(rate: Double, seconds: Int) -> (answered: Int, refused: Int) {
        var pace = TeacherPace()
        let start = ContinuousClock.now
        var now = start
        var allowance = 1.0
        var filled = start
        var counts = (answered: 0, refused: 0)
        while now - start < .seconds(seconds) {
            if let later = pace.begin(at: now) {
                now = later
                continue
            }
            // A call takes five milliseconds.
            now += .milliseconds(5)
            allowance = min(1, allowance + (now - filled) / .seconds(1) * rate)
            filled = now
            if allowance >= 1 {
                allowance -= 1
                counts.answered += 1
                pace.answered(at: now)
            } else {
                // It learns from a few answers, and until then it does not know.
                if now - start > .seconds(2) { counts.refused += 1 }
                pace.refused(at: now)
            }
        }
        return counts
    }

    @Test("a server's limit is found, used and seldom passed", arguments: [10.0, 40, 90])
    func limit(rate: Double) {
        let (answered, refused) = serve(rate: rate, seconds: 60)
        #expect(Double(answered) > 0.85 * rate * 60)
        #expect(Double(refused) < 0.2 * Double(answered))
    }

    @Test("a server that refuses nothing is not held back")
    func free() {
        #expect(serve(rate: 1000, seconds: 2) == (400, 0))
    }
}
