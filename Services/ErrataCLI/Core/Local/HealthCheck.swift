import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Asks a service whether it is up.
enum HealthCheck {
    /// Whether the address answers 200 within two seconds.
    static func isReady(_ address: String) async -> Bool {
        // Not Foundation's client: it needs libcurl, which the image does not have.
        let request = HTTPClientRequest(url: address)
        let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(2))
        return response?.status == .ok
    }
}
