import Foundation
import NIOHTTP1
import Testing

@testable import CompletionClient

@Suite("When a server says to come again")
struct WaitHeaderTests {
    private static let now = Date(timeIntervalSince1970: 1_792_584_000)  // Wed, 21 Oct 2026 12:00:00 GMT

    @Test(
        "each form of Retry-After is read",
        arguments: [
            (["retry-after": "2"], Duration.seconds(2)),
            (["retry-after": "0"], .zero),
            (["retry-after": "3.5"], .milliseconds(3500)),
            (["Retry-After": " 1 "], .seconds(1)),
            (["retry-after-ms": "3500"], .milliseconds(3500)),
            (["retry-after-ms": "250", "retry-after": "9"], .milliseconds(250)),
            (["retry-after": "Wed, 21 Oct 2026 12:00:05 GMT"], .seconds(5)),
            (["retry-after": "Wednesday, 21-Oct-26 12:00:05 GMT"], .seconds(5)),
            (["retry-after": "Wed Oct 21 12:00:05 2026"], .seconds(5)),
            (["retry-after": "Wed, 21 Oct 2026 11:00:00 GMT"], .zero),
            (["retry-after": "1m30s"], .seconds(90)),
            (["retry-after": "1e300"], .seconds(600)),
            (["retry-after": "inf"], nil), (["retry-after": "nan"], nil), (["retry-after": "-1"], nil),
            (["retry-after": "W\u{301}ed, 21 Oct 2017:28:00 GMT"], nil), (["retry-after": "We\r\nd, 21 Oct"], nil),
            (["retry-after": "soon"], nil), (["retry-after": ""], nil), ([:], nil),
        ] as [([String: String], Duration?)]
    )
    func pause(headers: [String: String], expected: Duration?) {
        #expect(WaitHeaders.pause(after: HTTPHeaders(headers.map { ($0.key, $0.value) }), now: Self.now) == expected)
    }

    @Test(
        "a limit that is used up is followed, one that is not is not",
        arguments: [
            (["x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"], Duration.seconds(360)),
            (["x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"], .milliseconds(20)),
            (["X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2.5"], .milliseconds(2500)),
            (["ratelimit-remaining": "0", "ratelimit-reset": "7"], .seconds(7)),
            (
                [
                    "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s",
                    "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "4s",
                ], .seconds(4)
            ),
            (["x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m0s"], nil),
            (["x-ratelimit-remaining": "0", "x-ratelimit-reset": "1792584060"], nil),
            (["x-ratelimit-remaining": "0"], nil),
        ] as [([String: String], Duration?)]
    )
    func limit(headers: [String: String], expected: Duration?) {
        #expect(WaitHeaders.limit(in: HTTPHeaders(headers.map { ($0.key, $0.value) })) == expected)
    }
}
