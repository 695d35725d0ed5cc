import Foundation
import Schemas
import ServiceRuntime

/// The folder of trainings in progress: a file or folder each, by the name of its stage.
struct WorkFolder: Sendable {
    let folder: URL

    /// What follows on a training's name: the state to go on from, one of other work that was set aside, and the folder of
    /// another engine.
    private static let endings = [".state", ".state.unused", ".engine"]

    /// How long what nobody goes on from is left alone, in seconds: a day.
    private static let age: TimeInterval = 86_400

    /// How long a reference's log-probabilities stay that nobody adds to, in seconds: 30 days.
    ///
    /// Stages share them, and they are computed again where they are missing.
    private static let referenceAge: TimeInterval = 30 * 86_400

    private static let longestName = 160

    /// The name of a training's files, one a stage of a round.
    ///
    /// Ids may hold a slash, which no file's name can, and no comma. They may be longer than a file's name can be, 255 bytes
    /// with what is added to it: the end is then made of the id of the stage's checkpoint, which no two have in common.
    static func name(of id: StageID) -> String {
        let stage = "\(id.run),\(id.stage)".replacing("/", with: "%2F")
        let name = id.round == 1 ? stage : "\(stage),\(id.round)"
        guard name.utf8.count > longestName else { return name }
        return "\(name.prefix(80)),,\(CheckpointEvent.id(run: id.run, round: id.round, stage: id.stage))"
    }

    /// Removes what is left of trainings that are over: of runs that were cancelled, of stages that failed, and of processes
    /// that ended just when they were done; and log-probabilities of references that were not written to for long.
    ///
    /// Arguments:
    ///   - unfinished: the stages that are, or will be, trained.
    ///   - now: the time that ages are counted to.
    /// - Returns: the names of what is gone.
    @discardableResult
    func removeFinished(unfinished: [StageID], now: Date = Date()) -> [String] {
        let files = FileManager.default
        let kept = Set(unfinished.map(Self.name(of:)))
        let names = (try? files.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { name in
            guard let limit = life(of: name, kept: kept) else { return false }
            let path = folder.appending(path: name).path
            guard let date = (try? files.attributesOfItem(atPath: path))?[.modificationDate] as? Date,
                now.timeIntervalSince(date) > limit
            else { return false }
            return (try? files.removeItem(atPath: path)) != nil
        }
    }

    /// How long a file is left alone, in seconds; nil where it stays.
    private func life(of name: String, kept: Set<String>) -> TimeInterval? {
        if name.hasPrefix("reference-"), name.hasSuffix(".jsonl") { return Self.referenceAge }
        guard let ending = Self.endings.first(where: { name.hasSuffix($0) }) else { return nil }
        return kept.contains(String(name.dropLast(ending.count))) ? nil : Self.age
    }
}
