import DataSupport
package import Foundation
package import LanguageModel
import TensorEngine

/// The reference figures computed with PyTorch; see the README of the data folder.
package enum Golden {
    package static func url(_ path: String) throws -> URL { try TestData.url("golden/\(path)") }

    package static func json<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(contentsOf: url(name)))
    }

    package static func model(_ name: String) throws -> CausalLanguageModel {
        try CausalLanguageModel.load(folder: url(name), context: ComputeContext(threads: 2))
    }
}
