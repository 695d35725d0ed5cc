import ArgumentParser
import Foundation
import LanguageModel

/// `errata models list`.
struct ModelsListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the models, by name.")

    @OptionGroup var models: ModelStoreOptions

    @Flag(help: "Print JSON lines: name (or null), hash, and what `show --json` says of the model.")
    var json = false

    func run() throws {
        let store = try models.existingStore()
        let names = try store.names()
        var table = TextTable([
            ("name", .left), ("hash", .left), ("family", .left), ("parameters", .right), ("size", .right),
            ("format", .left),
            ("from", .left),
        ])
        for hash in try Self.ordered(store.hashes(), names) {
            let own = names.filter { $0.value == hash }.keys.sorted()
            let summary = try ModelSummary(StoredModel(hash: hash, folder: store.folder(hash)), in: store)
            if json {
                Terminal.out(try summary.jsonLine(names: own))
                continue
            }
            table.add([
                own.isEmpty ? "-" : own.joined(separator: ", "), String(hash.prefix(12)), summary.family ?? "?",
                summary.parameters.map(ByteCount.short) ?? "", ByteCount.text(summary.bytes), summary.format,
                summary.fault ?? summary.origin ?? "",
            ])
        }
        if !json { Terminal.out(table.rendered()) }
    }

    /// Named models first, by their names.
    private static func ordered(_ hashes: [String], _ names: [String: String]) -> [String] {
        let first = Dictionary(grouping: names, by: \.value).compactMapValues { $0.map(\.key).min() }
        return hashes.sorted {
            switch (first[$0], first[$1]) {
            case (let left?, let right?): left < right
            case (_?, nil): true
            case (nil, _?): false
            case (nil, nil): $0 < $1
            }
        }
    }
}
