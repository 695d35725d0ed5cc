import ErrataCLICore

await ErrataCommand.start()
