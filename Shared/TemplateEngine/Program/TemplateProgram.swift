import Foundation

/// A chat template that is ready to be rendered: Jinja as Hugging Face transformers runs it.
///
/// That is Jinja's sandbox, in which nothing can be changed but namespaces, with `trim_blocks` and `lstrip_blocks`, the
/// tags `break`, `continue` and `generation`, the filter `tojson` and the functions `raise_exception` and `strftime_now`.
/// A template reaches nothing but the variables that it is rendered with, and is held to ``TemplateLimits``.
package struct TemplateProgram: Sendable {
    /// The name of the template in messages.
    package let name: String
    private let template: CompiledTemplate
    private let limits: TemplateLimits

    /// Reads a template.
    ///
    /// - Parameters:
    ///   - source: the template; line breaks of any kind count as `\n`.
    ///   - name: what messages call it, a file's name for one.
    ///   - limits: bounds of reading it and of each rendering.
    /// - Throws: ``TemplateError`` with ``TemplateError/Code/syntax`` or ``TemplateError/Code/limit``.
    package init(source: String, name: String, limits: TemplateLimits = TemplateLimits()) throws {
        self.name = name
        self.limits = limits
        do {
            guard source.utf8.count <= limits.sourceBytes else {
                throw TemplateError(.limit, "a template of more than \(limits.sourceBytes) bytes")
            }
            template = try Compiler.compile(try Parser.statements(of: source, nesting: limits.nesting))
        } catch let error as TemplateError {
            throw error.located(line: nil, template: name)
        }
    }

    /// Renders the template.
    ///
    /// - Parameters:
    ///   - variables: what the template sees, such as `messages`, `tools` and `add_generation_prompt`.
    ///   - moment: what `strftime_now` takes for now; by default what the clock shows in the local time zone.
    /// - Returns: the text, with the parts of it that the assistant has written.
    /// - Throws: ``TemplateError``; what the template refuses has ``TemplateError/Code/raised``.
    package func render(
        _ variables: TemplateVariables,
        at moment: TemplateMoment = TemplateMoment(Date())
    ) throws -> Rendering {
        let interpreter = Interpreter(template, limits: limits, moment: moment)
        defer { interpreter.finish() }
        do {
            try interpreter.render(template.root, try interpreter.context(variables))
        } catch let error as TemplateError {
            throw error.located(line: nil, template: name)
        }
        return Rendering(bytes: interpreter.output, generations: interpreter.generations)
    }
}

/// What a template made of its variables.
package struct Rendering: Sendable {
    /// The text in UTF-8.
    package let bytes: [UInt8]
    /// Ranges of ``bytes`` that `generation` blocks wrote, in the order in which they were carried out.
    ///
    /// As in transformers, a block counts from the end of what the outermost level has written so far, so that one
    /// inside of a macro or captured text may be off; what would lie behind the text is cut off.
    package let generationSpans: [Range<Int>]

    /// The text.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    init(bytes: [UInt8], generations: [Range<Int>]) {
        self.bytes = bytes
        let text = Text(bytes)
        if generations.isEmpty || text.isASCII {
            generationSpans = generations.map {
                min($0.lowerBound, bytes.count)..<min($0.upperBound, bytes.count)
            }
            return
        }
        // One walk over the text finds where each scalar begins.
        var offsets: [Int] = []
        offsets.reserveCapacity(bytes.count)
        for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 { offsets.append(offset) }
        func offset(_ scalar: Int) -> Int { scalar < offsets.count ? offsets[scalar] : bytes.count }
        generationSpans = generations.map { offset($0.lowerBound)..<offset($0.upperBound) }
    }
}
