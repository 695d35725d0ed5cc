/// Finds the known name that was most likely meant.
enum NearestName {
    static func find(_ name: String, among names: Set<String>) -> String? {
        let best = names.sorted().map { (name: $0, distance: distance(name, $0)) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(2, name.count / 4) else { return nil }
        return best.name
    }

    /// The edit distance between two names; names are cut to 200 bytes.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8.prefix(200))
        let right = Array(right.utf8.prefix(200))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let substitution = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
