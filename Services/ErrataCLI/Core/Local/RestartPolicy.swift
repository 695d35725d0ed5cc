/// How often, and after what waits, a program that ended by itself is started again.
struct RestartPolicy: Sendable {
    /// A program that ends once more after so many restarts in a row is left alone.
    ///
    /// Default 20.
    var limit = 20
    /// A program that has run for so long was started well: its count of restarts begins anew.
    ///
    /// Default 60 s.
    var steadyAfter = Duration.seconds(60)
    /// The wait before the first restart in a row; each further one takes twice as long, up to 32 times the first.
    ///
    /// Default 200 ms.
    var firstWait = Duration.milliseconds(200)
    /// No wait is shorter.
    ///
    /// Default 0.
    var leastWait = Duration.zero

    /// For services over the embedded broker.
    ///
    /// With a session timeout of 6 s it gives a group 5 s from the moment a member joins, and drops one that was killed up to
    /// 7 s after its death. A successor that joins within 2 s of the death is therefore given a share beside the dead one,
    /// waits in vain for that one to agree, and begins again, for some 14 s in all; one that joins later has everything after
    /// 8 s.
    static let embeddedBroker = RestartPolicy(leastWait: .milliseconds(2_500))

    /// The restarts in a row that count for a program which ended after it had run for a while.
    func counted(_ restarts: Int, ranFor life: Duration) -> Int { life >= steadyAfter ? 0 : restarts }

    /// The wait before a program is started again that was restarted so often in a row; nil: it is left alone.
    func wait(afterRestarts restarts: Int) -> Duration? {
        restarts < limit ? max(leastWait, firstWait * (1 << min(max(restarts, 0), 5))) : nil
    }
}
