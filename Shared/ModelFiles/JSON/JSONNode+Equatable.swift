/// Values are equal as Python's are after `json.loads`, but for numbers, which are compared as they are written: objects
/// whatever the order of their members, and with the last of members that share a key.
extension JSONNode: Equatable {
    package static func == (left: JSONNode, right: JSONNode) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): members(left) == members(right)
        default: false
        }
    }

    private static func members(_ list: [(key: [UInt8], value: JSONNode)]) -> [[UInt8]: JSONNode] {
        Dictionary(list.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }
}
