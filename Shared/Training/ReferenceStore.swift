public import Foundation
import LanguageModel
import ModelFiles

/// A reference model's log-probabilities of preference pairs, kept in a file so that no run computes them again.
///
/// The file holds one JSON object a line: `pair` (SHA-256 of the pair's tokens, weights and masks), `reference` (the model's
/// ``LanguageModel/CausalLanguageModel/referenceHash(precision:)``), `chosen` and `rejected` (Σ weight · log p, nats).
/// Values of several references lie side by side; a value is only ever used under the reference and the precision that it
/// was computed with.
///
/// A value's last bit can depend on the pairs that it was computed beside. A run that goes on finds its own values and is
/// the same to the bit; another list of pairs that finds them may differ in the last bit from one that computes its own.
public struct ReferenceStore: Sendable {
    /// Where the values are kept; written atomically.
    public let url: URL
    /// Told what was not used and why.
    private let onNotice: @Sendable (String) -> Void

    /// A store in a file, which need not exist yet.
    ///
    /// - Parameters:
    ///   - url: The file.
    ///   - onNotice: Called with a sentence when stored values are refused: unreadable, or of another reference.
    public init(url: URL, onNotice: @escaping @Sendable (String) -> Void = { _ in }) {
        self.url = url
        self.onNotice = onNotice
    }

    struct Key: Hashable {
        let pair: String
        let reference: String
    }

    struct Entry: Codable {
        let pair: String
        let reference: String
        let chosen: Float
        let rejected: Float
    }

    /// Fills in the values that are stored under `reference`, and says why others are not used.
    ///
    /// - Returns: All readable entries of the file, for ``save(_:)``.
    func fill(_ pairs: inout [PreferenceExample], reference: String) -> [Key: Entry] {
        var entries: [Key: Entry] = [:]
        guard let data = try? Data(contentsOf: url) else {
            if FileManager.default.fileExists(atPath: url.path) {
                onNotice("\(url.path) cannot be read; the reference's log-probabilities are computed again")
            }
            return entries
        }
        var unreadable = 0
        let decoder = JSONDecoder()
        for line in data.split(separator: UInt8(ascii: "\n")) {
            if let entry = try? decoder.decode(Entry.self, from: Data(line)) {
                entries[Key(pair: entry.pair, reference: entry.reference)] = entry
            } else {
                unreadable += 1
            }
        }
        var otherReferences: [String: String] = [:]
        for key in entries.keys { otherReferences[key.pair] = key.reference }
        var refused = 0
        var refusedReference = ""
        for index in pairs.indices where pairs[index].referenceChosen == nil {
            let pair = pairs[index].contentHash
            if let entry = entries[Key(pair: pair, reference: reference)] {
                pairs[index].setReference(chosen: entry.chosen, rejected: entry.rejected, hash: reference)
            } else if let other = otherReferences[pair] {
                refused += 1
                refusedReference = other
            }
        }
        if unreadable > 0 { onNotice("\(url.path) has \(unreadable) unreadable lines; they are passed over") }
        if refused > 0 {
            onNotice(
                "\(url.path) has \(refused) pairs under another reference (\(refusedReference.prefix(12)), now "
                    + "\(reference.prefix(12))); their log-probabilities are computed again"
            )
        }
        return entries
    }

    /// Replaces the file by the given entries.
    func save(_ entries: [Key: Entry]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var data = Data()
        // In a fixed order, so that the same values give the same file.
        for entry in entries.values.sorted(by: { ($0.reference, $0.pair) < ($1.reference, $1.pair) }) {
            data.append(try encoder.encode(entry))
            data.append(UInt8(ascii: "\n"))
        }
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try data.write(to: url, options: .atomic)
    }
}

extension PreferenceExample {
    /// SHA-256, in hexadecimal, of all that decides the pair's log-probabilities under a given model; not its name.
    public var contentHash: String {
        var digest = ContentDigest()
        for tokens in [prompt, chosen, rejected] { digest.add(tokens) }
        for weights in [chosenWeights, rejectedWeights] {
            digest.add(weights == nil ? 0 : 1)
            digest.add(weights ?? [])
        }
        // Left out where there are none, so that a pair keeps the hash under which its values may be stored.
        if chosenMask != nil || rejectedMask != nil {
            for mask in [chosenMask, rejectedMask] {
                digest.add(mask == nil ? 0 : 1)
                digest.add(mask?.map { $0 ? UInt8(1) : 0 } ?? [])
            }
        }
        return digest.hex
    }

    mutating func setReference(chosen: Float, rejected: Float, hash: String) {
        referenceChosen = chosen
        referenceRejected = rejected
        referenceHash = hash
    }
}
