import CLibpq
import Foundation

/// The one owner of a libpq connection.
///
/// Never leaves the actor that made it.
final class ConnectionHandle {
    private let pointer: OpaquePointer

    /// Connects, or throws within the configuration's time-out.
    ///
    /// Blocks the calling thread.
    init(_ configuration: PostgresConfiguration) throws {
        let keywords = configuration.keywords
        let pointer: OpaquePointer? = CStringArray.with(keywords.map(\.key)) { keys in
            CStringArray.with(keywords.map(\.value)) { values in
                PQconnectStartParams(keys, values, 0)
            }
        }
        guard let pointer else {
            throw PostgresError(kind: .connection, message: "libpq is out of memory")
        }
        // The class owns the pointer from here on: deinit runs even when the rest of init throws.
        self.pointer = pointer
        _ = PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        PQsetNoticeProcessor(pointer, { _, _ in }, nil)
        try finishConnecting(within: configuration.connectTimeout, to: configuration.description)
        _ = PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
        _ = try take(
            PQexec(
                pointer,
                "SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO'; SET bytea_output TO 'hex'; "
                    + "SET IntervalStyle TO 'iso_8601'; SET extra_float_digits TO 1; SET client_min_messages TO warning; "
                    + configuration.statementTimeoutText
            ),
            statement: nil
        )
    }

    deinit {
        PQfinish(pointer)
    }

    private func finishConnecting(within timeout: Duration, to place: String) throws {
        let deadline = ContinuousClock.now + timeout
        var wanted = PGRES_POLLING_WRITING
        while PQstatus(pointer) != CONNECTION_BAD, wanted != PGRES_POLLING_FAILED, wanted != PGRES_POLLING_OK {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else {
                throw PostgresError(kind: .connection, message: "no connection to \(place) within \(timeout)")
            }
            let milliseconds = Int32(clamping: Int64(left / .milliseconds(1)) + 1)
            let events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT
            var entry = pollfd(fd: PQsocket(pointer), events: Int16(events), revents: 0)
            if poll(&entry, 1, milliseconds) > 0 { wanted = PQconnectPoll(pointer) }
        }
        guard PQstatus(pointer) == CONNECTION_OK else {
            let text = String(cString: PQerrorMessage(pointer)).trimmingCharacters(in: .whitespacesAndNewlines)
            var error = PostgresError(kind: .connection, message: "no connection to \(place): \(text)")
            if let severity = text.range(of: "FATAL:  ") {
                let code = text[severity.upperBound...].prefix { $0 != ":" }
                if code.utf8.count == 5 { error.sqlState = String(code) }
            }
            throw error
        }
    }

    /// For the one place that needs the pointer itself: the canceller.
    func withPointer<Value>(_ body: (OpaquePointer) throws -> Value) rethrows -> Value {
        try body(pointer)
    }

    var isBroken: Bool { PQstatus(pointer) != CONNECTION_OK }
    var transactionStatus: PGTransactionStatusType { PQtransactionStatus(pointer) }
    var backendProcessID: Int32 { PQbackendPID(pointer) }

    /// A connection at rest has nothing to read but notices; end of file means that the server closed it.
    func isAlive() -> Bool {
        guard !isBroken else { return false }
        var entry = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) > 0 else { return true }
        return PQconsumeInput(pointer) == 1 && !isBroken
    }

    // MARK: Statements

    func simple(_ text: String) throws -> ResultSet {
        try take(PQexec(pointer, text), statement: text)
    }

    func prepare(name: String, text: String, types: [UInt32]) throws {
        _ = try take(PQprepare(pointer, name, text, Int32(types.count), types), statement: text)
    }

    func executePrepared(name: String, parameters: BoundParameters, text: String) throws -> ResultSet {
        try take(
            parameters.withPointers { values in
                PQexecPrepared(
                    pointer,
                    name,
                    Int32(parameters.count),
                    values,
                    parameters.lengths,
                    parameters.formats,
                    0
                )
            },
            statement: text
        )
    }

    func execute(text: String, parameters: BoundParameters) throws -> ResultSet {
        try take(
            parameters.withPointers { values in
                PQexecParams(
                    pointer,
                    text,
                    Int32(parameters.count),
                    parameters.types,
                    values,
                    parameters.lengths,
                    parameters.formats,
                    0
                )
            },
            statement: text
        )
    }

    // MARK: Results

    private func take(_ result: OpaquePointer?, statement: String?) throws -> ResultSet {
        guard let result else { throw connectionError(statement: statement) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
            return ResultSet(result)
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            endCopy(PQresultStatus(result))
            PQclear(result)
            while let rest = PQgetResult(pointer) {
                endCopy(PQresultStatus(rest))
                PQclear(rest)
            }
            throw PostgresError(
                kind: .usage,
                message: "COPY is not supported; insert from arrays with unnest, and read with a query"
            )
        default:
            defer { PQclear(result) }
            func field(_ code: Int) -> String? {
                PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
            }
            let state = field(ErrorField.sqlState)
            let text = field(ErrorField.message) ?? String(cString: PQresultErrorMessage(result))
            var error = PostgresError(
                kind: isBroken ? .connection : .server,
                sqlState: state,
                message: text.trimmingCharacters(in: .whitespacesAndNewlines),
                detail: field(ErrorField.detail)
            )
            error.hint = field(ErrorField.hint)
            error.table = field(ErrorField.table)
            error.column = field(ErrorField.column)
            error.constraint = field(ErrorField.constraint)
            error.statement = statement
            throw error
        }
    }

    /// Ends a COPY that a statement began: the connection would stay in a state that nothing else ends.
    private func endCopy(_ status: ExecStatusType) {
        if status == PGRES_COPY_IN { _ = PQputCopyEnd(pointer, "COPY is not supported") }
        guard status == PGRES_COPY_OUT else { return }
        var buffer: UnsafeMutablePointer<CChar>?
        while PQgetCopyData(pointer, &buffer, 0) > 0 {
            if let part = buffer { PQfreemem(part) }
        }
    }

    private func connectionError(statement: String?) -> PostgresError {
        let text = String(cString: PQerrorMessage(pointer)).trimmingCharacters(in: .whitespacesAndNewlines)
        var error = PostgresError(kind: .connection, message: text.isEmpty ? "the connection is lost" : text)
        error.statement = statement
        return error
    }

    /// libpq's field codes; the header has them as character macros.
    private enum ErrorField {
        static let sqlState = 67  // 'C'
        static let message = 77  // 'M'
        static let detail = 68  // 'D'
        static let hint = 72  // 'H'
        static let table = 116  // 't'
        static let column = 99  // 'c'
        static let constraint = 110  // 'n'
    }
}

/// Values laid out as libpq takes them.
struct BoundParameters {
    private var storage: [UInt8] = []
    private var offsets: [Int?] = []

    private(set) var types: [UInt32] = []
    private(set) var lengths: [Int32] = []
    private(set) var formats: [Int32] = []

    var count: Int { offsets.count }

    init(_ values: [PostgresValue]) throws {
        guard values.count <= RenderedSQL.maximumParameters else {
            throw PostgresError(
                kind: .encoding,
                message: "\(values.count) parameters in one statement, at most \(RenderedSQL.maximumParameters) are "
                    + "possible; pass arrays"
            )
        }
        storage.reserveCapacity(values.reduce(0) { $0 + $1.byteCount + 1 })
        for value in values {
            types.append(value.type)
            if case .bytes(let data) = value.content {
                append(data)
                lengths.append(Int32(data.count))
                formats.append(1)
            } else {
                if let text = try value.textForm() { append(text.utf8) } else { offsets.append(nil) }
                lengths.append(0)
                formats.append(0)
            }
        }
    }

    private mutating func append(_ bytes: some Sequence<UInt8>) {
        offsets.append(storage.count)
        storage.append(contentsOf: bytes)
        storage.append(0)
    }

    func withPointers<Value>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) throws -> Value) rethrows -> Value {
        try storage.withUnsafeBytes { bytes in
            let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress
            let pointers: [UnsafePointer<CChar>?] = offsets.map { offset in
                offset.flatMap { offset in start.map { $0 + offset } }
            }
            return try pointers.withUnsafeBufferPointer { try body($0.baseAddress) }
        }
    }
}

/// A null-terminated array of C strings.
enum CStringArray {
    static func with<Value>(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?) throws -> Value
    ) rethrows -> Value {
        var storage: [CChar] = []
        var offsets: [Int] = []
        for string in strings {
            offsets.append(storage.count)
            storage.append(contentsOf: string.utf8CString)
        }
        return try storage.withUnsafeBufferPointer { bytes in
            var pointers: [UnsafePointer<CChar>?] = offsets.map { offset in bytes.baseAddress.map { $0 + offset } }
            pointers.append(nil)
            return try pointers.withUnsafeBufferPointer { try body($0.baseAddress) }
        }
    }
}
