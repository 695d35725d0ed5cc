import Foundation

/// The base address of an OpenAI-compatible API, as users give it.
///
/// `http://HOST:PORT`, `…/v1`, `…/v1/` and, by mistake, `…/v1/chat/completions` all mean the same; a query such as
/// Azure's `?api-version=…` is kept with every call.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    /// What is appended to the base by the API, and taken off where a user gives it.
    private static let endpoints = ["/chat/completions", "/completions", "/models", "/batches", "/files"]

    private let base: String
    private let query: String?

    /// Reads an address; nil where it is none of HTTP's.
    public init?(_ text: String) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let components = URLComponents(string: trimmed),
            let scheme = components.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = components.host, !host.isEmpty, components.fragment == nil,
            components.port.map({ (1...65_535).contains($0) }) ?? true
        else { return nil }
        var path = Substring(components.percentEncodedPath)
        func dropSlashes() { while path.last == "/" { path.removeLast() } }
        dropSlashes()
        for endpoint in Self.endpoints where path.hasSuffix(endpoint) {
            path.removeLast(endpoint.count)
            break
        }
        dropSlashes()
        var bare = components
        // Every server of this API has it under /v1 where nothing else is said.
        bare.percentEncodedPath = path.isEmpty ? "/v1" : String(path)
        bare.percentEncodedQuery = nil
        guard let base = bare.string else { return nil }
        self.base = base
        query = components.percentEncodedQuery.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The address of an endpoint such as `chat/completions`, with the address' own query and a call's behind it.
    public func endpoint(_ path: String, query more: [(name: String, value: String)] = []) -> String {
        let items = [query].compactMap { $0 } + more.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }
        return "\(base)/\(path)" + (items.isEmpty ? "" : "?\(items.joined(separator: "&"))")
    }

    /// A text, such as a server's name of a file, as one part of an endpoint's path or of a query.
    public static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )

    /// The address without user information, for messages.
    public var description: String {
        guard var components = URLComponents(string: base) else { return base }
        components.user = nil
        components.password = nil
        return components.string ?? base
    }
}
