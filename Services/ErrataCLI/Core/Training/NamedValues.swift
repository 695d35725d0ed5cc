public import ArgumentParser
public import LanguageModel
import ModelFiles
public import Reasoning
public import TensorEngine
import Tokenization
public import Training

// The values of these options are the names that the libraries give them.
extension LossNormalization: ExpressibleByArgument {}
extension LearningRateSchedule: ExpressibleByArgument {}
extension NegativeTokenLoss: ExpressibleByArgument {}
extension KeyStepAlignment.TieRule: ExpressibleByArgument {}
extension PreferenceLoss: ExpressibleByArgument {}
extension SavedType: ExpressibleByArgument {}

/// How the weights of a model that generates are kept in memory.
enum LoadedType: String, CaseIterable, ExpressibleByArgument {
    case float32, bfloat16
    /// As the folder stores them, where that can be computed with as it is.
    case auto

    var storage: WeightStorage {
        switch self {
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .auto: .asStored
        }
    }
}
