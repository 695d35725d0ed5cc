import DataSupport
import Distillation
import Foundation
import Schemas
import Tokenization

/// A student's folder with a tokenizer of a token a byte and a chat template.
struct ChatStudent {
    /// Turns between marks, as most models have them.
    static let turns =
        #"{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"#
        + #"{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"#
    /// The same for models that know no system role.
    static let withoutSystem =
        #"{%- if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{%- endif %}"# + turns

    /// The template; none without one.
    var template: String? = turns

    /// The codec of the folder, in the form that a run asks for.
    func codec(_ prompt: RunPrompt?) throws -> StudentCodec {
        try withTemporaryFolder { folder in
            try BytePairTrainer(eosToken: "<|endoftext|>").train(
                ["x"],
                vocabularySize: 259,
                specialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
            ).save(to: folder)
            if let template { try Data(template.utf8).write(to: folder.appending(path: "chat_template.jinja")) }
            return try StudentCodec(folder: folder, prompt: prompt)
        }
    }
}
