public import ArgumentParser
public import Tokenization
public import Training

// The values of these options are the names that the libraries give them.
extension LossNormalization: ExpressibleByArgument {}
extension LearningRateSchedule: ExpressibleByArgument {}
extension PreferenceLoss: ExpressibleByArgument {}
extension ChatFormat: ExpressibleByArgument {}
