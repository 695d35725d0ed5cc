/// A template that cannot be read, or a rendering that the template or its limits ended.
package struct TemplateError: Error, Sendable, CustomStringConvertible {
    /// What kind of fault it is, for callers that react to it.
    package enum Code: String, Sendable {
        /// The template is not valid Jinja.
        case syntax
        /// The template itself refused, by `raise_exception`; the message is the template's.
        case raised
        /// Something was done with a value that is not defined.
        case undefined
        /// An operation met a value of a type that it does not work on.
        case type
        /// An operation met a value of the right type that it does not work on.
        case value
        /// The template asked for something that the sandbox does not give out.
        case security
        /// A bound of ``TemplateLimits`` was reached.
        case limit
        /// The template asks for something of Jinja that is left out on purpose.
        case unsupported
    }

    /// The kind of fault.
    package let code: Code
    /// What is wrong; for ``Code/raised`` the template's own words.
    package let message: String
    /// The name of the template.
    package private(set) var template: String?
    /// The line of the template, from 1; nil where no line is to blame.
    package private(set) var line: Int?

    /// Makes an error whose place is added on the way out.
    package init(_ code: Code, _ message: String, template: String? = nil, line: Int? = nil) {
        self.code = code
        self.message = message
        self.template = template
        self.line = line
    }

    /// The place and the message, fit for a log.
    package var description: String {
        let place = [template.map { "template \($0)" }, line.map { "line \($0)" }].compactMap { $0 }
        return (place.isEmpty ? "" : place.joined(separator: ", ") + ": ") + message
    }

    /// This error with a place, where it has none yet: the innermost place that is known counts.
    func located(line: Int?, template: String? = nil) -> TemplateError {
        var error = self
        error.line = error.line ?? line
        error.template = error.template ?? template
        return error
    }
}
