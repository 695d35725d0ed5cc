/// Finds the exact and near duplicates among problems; see ``ProblemFingerprint`` for what they are.
///
/// The problem that came first is the one that is kept. A duplicate is compared with kept problems only, and is not kept,
/// so that what is kept holds no two duplicates, and what is left out has its like among what is kept.
public struct DuplicateIndex: Sendable {
    /// A problem that is there already.
    public struct Match: Sendable, Hashable {
        /// Its id.
        public let id: String
        /// How it is the same.
        public let kind: DuplicateKind
    }

    /// The most kept problems of a bucket that a new one is compared with, the earliest first: what bounds the work on
    /// texts made to collide.
    public static let bucketLimit = 256

    private var ids: [String] = []
    private var fingerprints: [ProblemFingerprint] = []
    private var byDigest: [UInt64: [Int]] = [:]
    private var byBand: [UInt64: [Int]] = [:]

    /// Makes an empty index.
    public init() {}

    /// The number of problems that are kept.
    public var count: Int { ids.count }

    /// Keeps a problem, unless it is a duplicate of a kept one.
    ///
    /// - Returns: the kept problem that it is a duplicate of: the exact one, else the most similar, of several the first.
    @discardableResult
    public mutating func insert(_ fingerprint: ProblemFingerprint, id: String) -> Match? {
        if let match = match(of: fingerprint) { return match }
        let place = ids.count
        ids.append(id)
        fingerprints.append(fingerprint)
        byDigest[fingerprint.digest, default: []].append(place)
        for band in fingerprint.bands where byBand[band, default: []].count < Self.bucketLimit {
            byBand[band, default: []].append(place)
        }
        return nil
    }

    /// The kept problem that a problem is a duplicate of, if there is one.
    public func match(of fingerprint: ProblemFingerprint) -> Match? {
        guard !fingerprint.text.words.isEmpty else { return nil }
        if let place = byDigest[fingerprint.digest]?.first(where: { fingerprints[$0].text == fingerprint.text }) {
            return Match(id: ids[place], kind: .exact)
        }
        var best: (place: Int, kind: DuplicateKind)?
        var seen: Set<Int> = []
        for band in fingerprint.bands {
            for place in byBand[band] ?? [] where seen.insert(place).inserted {
                guard let kind = fingerprint.relation(to: fingerprints[place]) else { continue }
                if best.map({ (kind.similarity, -place) > ($0.kind.similarity, -$0.place) }) ?? true {
                    best = (place, kind)
                }
            }
        }
        return best.map { Match(id: ids[$0.place], kind: $0.kind) }
    }
}
