/// The page that lists all metrics: `compose/METRICS.md`, which `errata schema metrics` prints.
public enum MetricsPage {
    /// The page in Markdown.
    public static var markdown: String {
        let rows = MetricName.allCases.map { name in
            let labels = name.labels.map { "`\($0)`" }.joined(separator: ", ")
            let cells = ["`\(name.rawValue)`", name.kind.rawValue, name.scope.rawValue, labels, name.help]
            return "| \(cells.joined(separator: " | ")) |"
        }
        return """
            # Metrics

            Each service serves its metrics at `/metrics`, in Prometheus' text format. Units are in the names: seconds,
            bytes, ratios from 0 to 1; a name without a unit is a number of what it names. This page is what
            `errata schema metrics` prints.

            A metric of the scope *process* is that process' own figure: those of several processes may be added up. One of
            the scope *system* is read from the database, and every process that serves it says the same: take the maximum.

            Figures that cannot be read in time are left out, and `errata_metrics_source_up` says which. The series of a
            training end with it.

            `compose/observability` has alert rules and a dashboard over them, started by the profile `observability`.

            | Metric | Type | Scope | Labels | Meaning |
            | --- | --- | --- | --- | --- |

            """ + rows.joined(separator: "\n")
    }
}
