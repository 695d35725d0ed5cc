/// Why a server gave no answer that can be used.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is, and so who can mend it.
    public enum Kind: String, Sendable, CaseIterable {
        /// It could not be reached, broke off, or said that it is too busy (408, 425, 429, 5xx).
        case unavailable
        /// It was reached and did not answer in time.
        case timeout
        /// What it answered is no answer of this API: HTML, cut JSON, no choice.
        case malformed
        /// The answer is larger than what is read.
        case tooLarge = "too-large"
        /// It refuses this request for what stands in it: another one may do.
        case refusedRequest = "refused-request"
        /// It refuses a setting that every request has; ``ServerError/parameter`` names it where the server does.
        case refusedSetting = "refused-setting"
        /// It refuses the key.
        case refusedKey = "refused-key"
        /// The account has nothing left to spend.
        case quota
        /// There is no such model or address.
        case notFound = "not-found"

        /// Whether the same request may be answered a moment later without anyone's doing.
        public var isTransient: Bool {
            switch self {
            case .unavailable, .timeout, .malformed: true
            default: false
            }
        }

        /// Whether every other request will meet the same refusal until someone mends it.
        public var concernsAll: Bool {
            switch self {
            case .refusedSetting, .refusedKey, .quota, .notFound: true
            default: false
            }
        }
    }

    /// Whether what stands in the request may be why it failed.
    public enum RequestFault: String, Sendable {
        /// It is not: the server was not reached, is too busy, or refuses every request.
        case no
        /// It may be: another request may do.
        case possible
        /// It is: the server says so.
        case certain
    }

    /// The kind.
    public let kind: Kind
    /// What happened, with address, status and the server's own words; never a key.
    public let message: String
    /// How long the server asked to wait, if it did.
    public let pause: Duration?
    /// The parameter that is refused, as the server names it.
    public let parameter: String?
    /// Whether the server may have worked on the request, so that it may be billed.
    public let mayBeBilled: Bool
    /// Whether what stands in the request may be at fault.
    public let requestFault: RequestFault

    /// Makes an error.
    ///
    /// Arguments:
    ///   - requestFault: whether the request may be at fault; by default as the kind has it, and of a server that broke off
    ///     where it was reached.
    public init(
        _ kind: Kind,
        _ message: String,
        pause: Duration? = nil,
        parameter: String? = nil,
        mayBeBilled: Bool = false,
        requestFault: RequestFault? = nil
    ) {
        self.kind = kind
        self.message = message
        self.pause = pause
        self.parameter = parameter
        self.mayBeBilled = mayBeBilled
        self.requestFault = requestFault ?? Self.fault(of: kind, wasReached: mayBeBilled)
    }

    private static func fault(of kind: Kind, wasReached: Bool) -> RequestFault {
        switch kind {
        case .unavailable: wasReached ? .possible : .no
        case .timeout, .malformed, .tooLarge, .refusedRequest: .possible
        case .refusedSetting, .refusedKey, .quota, .notFound: .no
        }
    }

    /// The same with `<secret>` for each of these texts; ones of under four characters would tear every message apart.
    func hiding(_ secrets: [String]) -> ServerError {
        let hidden = secrets.filter { $0.count >= 4 }.sorted { $0.count > $1.count }
        func hide(_ text: String) -> String { hidden.reduce(text) { $0.replacing($1, with: "<secret>") } }
        return ServerError(
            kind,
            hide(message),
            pause: pause,
            parameter: parameter.map(hide),
            mayBeBilled: mayBeBilled,
            requestFault: requestFault
        )
    }

    /// The message and the kind.
    public var description: String { "\(message) [\(kind.rawValue)]" }
}
