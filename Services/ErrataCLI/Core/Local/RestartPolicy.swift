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

    /// The restarts in a row that count for a program which ended after it had run for a while.
    func counted(_ restarts: Int, ranFor life: Duration) -> Int { life >= steadyAfter ? 0 : restarts }

    /// The wait before a program is started again that was restarted so often in a row; nil: it is left alone.
    func wait(afterRestarts restarts: Int) -> Duration? {
        restarts < limit ? firstWait * (1 << min(max(restarts, 0), 5)) : nil
    }
}
