import Foundation

/// The header of a safetensors file: parsed and checked against the size of the file.
///
/// As in the reference implementation, the tensors must cover the data without overlap or gap.
struct SafetensorsHeader {
    static let maximumByteCount = 100_000_000

    var entries: [SafetensorsFile.Entry] = []
    var metadata: [String: String] = [:]
    private let place: String

    init(bytes: UnsafeRawBufferPointer, place: String) throws {
        self.place = place
        guard bytes.count >= 8 else {
            throw failure("is truncated: \(bytes.count) bytes, where a safetensors file has at least 8")
        }
        let declared = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard declared <= UInt64(Self.maximumByteCount) else {
            throw failure("declares a header of \(declared) bytes, above the limit of \(Self.maximumByteCount)")
        }
        let dataStart = 8 + Int(declared)
        guard dataStart <= bytes.count else {
            throw failure("is truncated: the header should end at byte \(dataStart), the file at \(bytes.count)")
        }
        let root: JSONNode
        do {
            root = try JSONNode.parse(bytes[8..<dataStart])
        } catch {
            throw failure("header is \(error.description)")
        }
        guard let members = root.object else { throw failure("header is \(root.kind), not an object") }
        var seen: Set<String> = []
        for member in members {
            let name = String(decoding: member.key, as: UTF8.self)
            guard seen.insert(name).inserted else { throw failure("declares tensor \(name) twice") }
            if name == "__metadata__" {
                try readMetadata(member.value)
            } else {
                entries.append(try entry(name, member.value, dataStart: dataStart, fileSize: bytes.count))
            }
        }
        entries.sort {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
        }
        try checkCoverage(dataStart: dataStart, fileSize: bytes.count)
    }

    private func failure(_ message: String) -> ModelFileError { ModelFileError(.malformed, place: place, message) }

    private mutating func readMetadata(_ node: JSONNode) throws {
        guard let members = node.object else { throw failure("__metadata__ is \(node.kind), not an object") }
        for member in members {
            let key = String(decoding: member.key, as: UTF8.self)
            guard let value = member.value.string else {
                throw failure("__metadata__ \(key) is \(member.value.kind), not a string")
            }
            metadata[key] = value
        }
    }

    private func entry(_ name: String, _ node: JSONNode, dataStart: Int, fileSize: Int) throws -> SafetensorsFile.Entry
    {
        guard let typeName = node["dtype"]?.string else { throw failure("tensor \(name) has no dtype") }
        guard let type = SafetensorsFile.ElementType(rawValue: typeName) else {
            throw ModelFileError(.unsupported, place: place, "tensor \(name) has the unsupported dtype \(typeName)")
        }
        guard let dimensions = node["shape"]?.array, dimensions.count <= 16 else {
            throw failure("tensor \(name) has no shape of at most 16 dimensions")
        }
        var shape: [Int] = []
        var size = type.byteCount
        for dimension in dimensions {
            guard let value = dimension.integer, value >= 0 else {
                throw failure("tensor \(name) has a dimension that is no integer from 0 up")
            }
            let (product, overflow) = size.multipliedReportingOverflow(by: value)
            guard !overflow else { throw failure("tensor \(name) has a shape that is too large: \(shape + [value])…") }
            size = product
            shape.append(value)
        }
        guard let offsets = node["data_offsets"]?.array, offsets.count == 2, let start = offsets[0].integer,
            let end = offsets[1].integer, start >= 0, start <= end
        else { throw failure("tensor \(name) has no data_offsets [start, end] with 0 <= start <= end") }
        guard end <= fileSize - dataStart else {
            throw failure(
                "tensor \(name) ends at byte \(end) of the data, which has \(fileSize - dataStart): "
                    + "the file is truncated or its header lies"
            )
        }
        guard end - start == size else {
            throw failure(
                "tensor \(name) has \(end - start) bytes, but \(typeName) of shape \(shape) needs \(size)"
            )
        }
        return SafetensorsFile.Entry(
            name: name,
            elementType: type,
            shape: shape,
            byteRange: dataStart + start..<dataStart + end
        )
    }

    private func checkCoverage(dataStart: Int, fileSize: Int) throws {
        var position = dataStart
        var previous = "the header"
        for entry in entries {
            guard entry.byteRange.lowerBound >= position else {
                throw failure("tensor \(entry.name) overlaps \(previous)")
            }
            guard entry.byteRange.lowerBound == position else {
                throw failure("there is a gap between \(previous) and tensor \(entry.name)")
            }
            position = entry.byteRange.upperBound
            previous = "tensor \(entry.name)"
        }
        guard position == fileSize else {
            throw failure("has \(fileSize - position) bytes after the last tensor that belong to none")
        }
    }
}
