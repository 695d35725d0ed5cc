/// Bounds of reading and rendering a template, so that one from anywhere cannot use up the machine.
///
/// Reaching a bound is a ``TemplateError`` with the code ``TemplateError/Code/limit``.
package struct TemplateLimits: Sendable {
    /// The length of a template's source in UTF-8 bytes.
    package var sourceBytes: Int
    /// How deeply expressions and statements may be nested in the source.
    package var nesting: Int
    /// Evaluated expressions and statements, and the work inside filters and methods, in all.
    package var steps: Int
    /// How deeply evaluation may nest, through macros and recursive loops.
    package var depth: Int
    /// The length of the rendered text in UTF-8 bytes.
    package var outputBytes: Int
    /// The length of any one text in UTF-8 bytes.
    package var valueBytes: Int
    /// The number of items of any one list, tuple or dictionary.
    package var items: Int
    /// How deeply lists and dictionaries may be nested inside each other.
    package var valueDepth: Int
    /// Bytes of all texts and lists that a rendering makes, those that it lets go of too.
    package var totalBytes: Int

    /// Bounds for the templates of chat models: far above what they need, a second or two of work at most.
    package init(
        sourceBytes: Int = 512 << 10,
        nesting: Int = 100,
        steps: Int = 10_000_000,
        depth: Int = 500,
        outputBytes: Int = 16 << 20,
        valueBytes: Int = 16 << 20,
        items: Int = 1_000_000,
        valueDepth: Int = 128,
        totalBytes: Int = 256 << 20
    ) {
        self.sourceBytes = sourceBytes
        self.nesting = nesting
        self.steps = steps
        self.depth = depth
        self.outputBytes = outputBytes
        self.valueBytes = valueBytes
        self.items = items
        self.valueDepth = valueDepth
        self.totalBytes = totalBytes
    }
}
