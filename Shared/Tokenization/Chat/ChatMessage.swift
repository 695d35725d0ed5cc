package import ModelFiles

/// One turn of a conversation: a role, what is said, and whatever else a chat template reads (tool calls, thoughts).
public struct ChatMessage: Sendable, Equatable {
    /// The turn as JSON, without members that are null.
    package let fields: JSONNode

    /// A turn in plain text.
    ///
    /// - Parameters:
    ///   - role: Who speaks: `system`, `user`, `assistant`, `tool`, or what the model's template calls it.
    ///   - content: What is said.
    public init(_ role: String, _ content: String) {
        fields = .object([
            (Array("role".utf8), .string(Array(role.utf8))), (Array("content".utf8), .string(Array(content.utf8))),
        ])
    }

    /// A turn whose members are right already.
    init(unchecked fields: JSONNode) {
        self.fields = fields
    }

    /// A turn as a JSON object, read as `transformers` reads it.
    ///
    /// Members that are null are left out: servers write them where templates expect nothing. Thoughts under one of their
    /// names (`reasoning_content`, `thinking`, `reasoning`) are found by templates that read another.
    /// - Throws: `TokenizationError` when it is no object or has no role.
    package init(_ node: JSONNode, place: String) throws(TokenizationError) {
        guard let members = node.object else {
            throw TokenizationError(
                .malformed,
                place: place,
                "is \(node.kind); a message is an object with \"role\" and \"content\""
            )
        }
        guard node["role"]?.string != nil else {
            throw TokenizationError(.malformed, place: place, "has no \"role\" that is a text")
        }
        var kept = members.filter { !$0.value.isNull }
        if let thoughts = Self.thoughtFields.lazy.compactMap({ name in kept.last { $0.key == name }?.value }).first {
            let (main, older) = (Self.thoughtFields[0], Self.thoughtFields[1])
            if !kept.contains(where: { $0.key == older }) { kept.insert((older, thoughts), at: 0) }
            if !kept.contains(where: { $0.key == main }) { kept.append((main, thoughts)) }
        }
        fields = .object(kept)
    }

    /// The names that thoughts go by, the one that wins first.
    static let thoughtNames = ["reasoning_content", "thinking", "reasoning"]

    private static let thoughtFields = thoughtNames.map { Array($0.utf8) }

    /// Who speaks.
    public var role: String { fields["role"]?.string ?? "" }

    /// What is said, where it is plain text.
    public var content: String? { fields["content"]?.string }

    /// The same turn with another plain text and without its thoughts.
    func saying(_ content: String) -> ChatMessage { ChatMessage(role, content) }
}
