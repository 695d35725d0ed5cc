/// Places where the tests end the program or have it fail, to see what is left behind.
///
/// A build has them only where the flag `ERRATA_FAULTS` is defined (`swift build -Xswiftc -DERRATA_FAULTS`), as that of the
/// tests does; in any other they are empty.
public enum FaultPoint: String, CaseIterable, Sendable {
    /// A message is stored before it is worked on, and its offset is not committed.
    case messageStored = "message.stored"
    /// A message is about to be worked on.
    case messageBegins = "message.begins"
    /// What comes of a message is known, and nothing of it is written.
    case messageWorked = "message.worked"
    /// All that a message brings is written, and the transaction is still open.
    case commitAhead = "commit.ahead"
    /// The transaction of a message is committed, its offset is not.
    case commitDone = "commit.done"
    /// All that work under a lease brings (a checkpoint, attempts, scores, a round) is written, and the transaction is still
    /// open.
    case jobAhead = "job.ahead"
    /// The transaction of work under a lease is committed, and nothing follows yet.
    case jobDone = "job.done"
    /// The relay has read a batch, and sent nothing of it.
    case relayRead = "relay.read"
    /// The broker has a batch, which the outbox does not yet say.
    case relaySent = "relay.sent"
    /// A stage's data are gathered, and its training begins.
    case stageBegins = "stage.begins"
    /// A training step is done.
    case stageStep = "stage.step"
    /// A stage's model is in the store, and the database does not know of it.
    case stageStored = "stage.stored"
    /// A piece of an evaluation is graded, and nothing of it is written.
    case pieceGraded = "piece.graded"
    /// A file is written and on disk, beside its place.
    case fileWritten = "file.written"

    #if !ERRATA_FAULTS
    /// Nothing in this build.
    @inlinable
    public func reach(file: @autoclosure () -> String? = nil) throws {}
    #endif
}
