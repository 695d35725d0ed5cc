import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Asks a service whether it is up.
enum HealthCheck {
    /// Whether the address answers 200 within two seconds.
    static func isReady(_ address: String) async -> Bool {
        guard let url = URL(string: address) else { return false }
        var request = URLRequest(url: url)
        request.timeoutInterval = 2
        guard let (_, response) = try? await URLSession.shared.data(for: request) else { return false }
        return (response as? HTTPURLResponse)?.statusCode == 200
    }
}
