import Reasoning
import Testing

@Suite("Paired differences")
struct PairedDifferenceTests {
    @Test("difference, interval and p value of a worked example")
    func worked() throws {
        // Ten problems: 4 gained, 1 lost. Mean .3; variance of a difference .5 − .09 = .41, of the mean .041.
        let first = [true, true, true, true, false, true, true, false, false, false]
        let second = [false, false, false, false, true, true, true, false, false, false]
        let found = try #require(PairedDifference([(first, second)]))
        #expect(abs(found.difference - 0.3) < 1e-12)
        #expect(abs(found.high - (0.3 + 1.959964 * 0.041.squareRoot())) < 1e-6)
        #expect(abs(found.low - (0.3 - 1.959964 * 0.041.squareRoot())) < 1e-6)
        // Exact McNemar: 2 · (C(5,0) + C(5,1)) / 2^5.
        #expect(abs(found.pValue - 12.0 / 32) < 1e-9)
    }

    @Test("groups weigh the same whatever their size, and their interval narrows as independent ones do")
    func groups() throws {
        let gain: (first: [Bool], second: [Bool]) = ([true, false], [false, false])
        let none: (first: [Bool], second: [Bool]) = (Array(repeating: true, count: 8), Array(repeating: true, count: 8))
        let found = try #require(PairedDifference([gain, none]))
        #expect(found.byGroup == [0.5, 0])
        #expect(found.difference == 0.25)
        let one = try #require(PairedDifference([gain]))
        let four = try #require(PairedDifference([gain, gain, gain, gain]))
        #expect(abs((one.high - one.low) / (four.high - four.low) - 2) < 1e-9)
    }

    @Test("lists that do not pair up give nothing")
    func unpaired() {
        #expect(PairedDifference([]) == nil)
        #expect(PairedDifference([([], [])]) == nil)
        #expect(PairedDifference([([true], [true, false])]) == nil)
    }
}
