import DataSupport
package import Foundation
package import LanguageModel
import TensorEngine

/// The reference figures computed with PyTorch: see `Tests/Goldens/README.md`.
package enum Golden {
    package static func url(_ path: String) throws -> URL { try TestData.golden(path) }

    package static func json<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(contentsOf: url(name)))
    }

    package static func model(_ name: String) throws -> CausalLanguageModel {
        try CausalLanguageModel.load(folder: url(name), context: ComputeContext(threads: 2))
    }
}
