import ArgumentParser
import ErrataCLICore

await ErrataCommand.main()
