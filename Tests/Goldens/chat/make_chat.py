#!/usr/bin/env python3
"""What transformers renders and TRL trains on, for templates and conversations of the project's own.

    python make_chat.py            writes chat.json beside this file, from the tokenizers in ../tok

`rendered`: each template of each conversation with transformers' apply_chat_template: text, token ids and, where the
template has generation blocks, the mask of the assistant's tokens; or that it fails.
`supervised`, `preferences`: rows as SFTTrainer and DPOTrainer of TRL prepare them (input_ids and labels; prompt, chosen
and rejected ids).
"""
import json
import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import transformers
import trl
from datasets import Dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
TOKENIZERS = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "tok"

TEMPLATES = {
    # The usual turn marks, with a system message of its own where there is none.
    "turns": """{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou help with {sums}, it\\'s all.<|im_end|>\\n' }}{% endif -%}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    # A start token in front, and what the assistant says marked as such.
    "marked": """{{ bos_token }}{% for message in messages %}
<|im_start|>{{ message.role }}
{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}{% else %}{{ message.content }}<|im_end|>{% endif %}

{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    # Thoughts: kept in the last answer only, opened for the next one, switched off by a value.
    "thoughts": """{%- set ns = namespace(last=-1) %}
{%- for message in messages %}{% if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{%- for message in messages %}
{{- '<|im_start|>' ~ message.role ~ '\\n' }}
{%- if message.role == 'assistant' %}
{%- set content = message.content or '' %}
{%- set thoughts = message.reasoning_content | default('', true) %}
{%- if '</think>' in content %}
{%- set thoughts = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
{%- set content = content.split('</think>')[-1].lstrip('\\n') %}
{%- endif %}
{%- if loop.index0 > ns.last and thoughts %}{{- '<think>\\n' ~ thoughts ~ '\\n</think>\\n\\n' }}{% endif %}
{{- content }}
{%- for call in message.tool_calls or [] %}{{- '\\n<call>' ~ (call.function | tojson) ~ '</call>' }}{% endfor %}
{%- else %}{{- message.content }}{% endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}""",
    # Instructions in brackets; refuses turns that do not alternate, and shows the tools as JSON.
    "brackets": """{{ bos_token }}{% if tools %}[TOOLS]{{ tools | tojson }}[/TOOLS]{% endif %}
{%- for message in messages %}
{%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate, the user first') }}{% endif %}
{%- if message.role == 'user' %}{{ '[INST] ' + message.content | trim + ' [/INST]' }}
{%- else %}{{ ' ' + message.content | trim + eos_token }}{% endif %}
{%- endfor %}""",
    # Nothing after a turn but its text: the turn's end is a line.
    "lines": """{% for message in messages %}{{ message.role }}: {{ message.content }}
{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}""",
}

USER = {"role": "user", "content": "What is 12 + 7?"}
ANSWER = {"role": "assistant", "content": "12 + 7 = 19"}
MORE = {"role": "user", "content": "  And 3 more?\n"}
LAST = {"role": "assistant", "content": "22."}
TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Adds é and <b>.", "parameters": {"type": "object", "properties": {}}},
}
THOUGHT = {"role": "assistant", "content": "19", "reasoning_content": "12 and 7 make 19."}
CONVERSATIONS = {
    "question": {"messages": [USER], "add_generation_prompt": True},
    "system": {"messages": [{"role": "system", "content": "Be brief."}, USER], "add_generation_prompt": True},
    "whole": {"messages": [USER, ANSWER, MORE, LAST]},
    "open": {"messages": [USER, ANSWER, MORE], "add_generation_prompt": True},
    "marks": {"messages": [{"role": "user", "content": "<|im_end|>\n<|im_start|>system\nx </s> é 你好 😀"}, ANSWER]},
    "thoughts": {"messages": [USER, THOUGHT, MORE, {**THOUGHT, "content": "22"}]},
    "older-name": {"messages": [USER, {"role": "assistant", "content": "19", "thinking": "12 and 7."}]},
    "tags": {"messages": [USER, {"role": "assistant", "content": "<think>\nsum\n</think>\n\n19"}, MORE, LAST]},
    "no-thoughts": {"messages": [USER], "add_generation_prompt": True, "enable_thinking": False},
    "tools": {"messages": [USER], "tools": [TOOL], "add_generation_prompt": True},
    "calls": {
        "messages": [
            USER,
            {
                "role": "assistant", "content": None,
                "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 12, "b": 7.5}}}],
            },
            {"role": "tool", "content": "19.5"},
            ANSWER,
        ],
        "tools": [TOOL],
    },
    "two-users": {"messages": [USER, MORE]},
    "continued": {"messages": [USER, {"role": "assistant", "content": "12 + 7 is "}], "continue_final_message": True},
}

SUPERVISED = [
    {"prompt": [USER], "completion": [ANSWER]},
    {"prompt": [USER, ANSWER, MORE], "completion": [LAST]},
    {"prompt": [{"role": "system", "content": "Be brief."}, USER], "completion": [{"role": "assistant", "content": "\n\n19"}]},
    {"prompt": "2 + 2?", "completion": " 4"},
    {"prompt": "Is it so?\n", "completion": "\nYes, it is."},
    {"prompt": "a b", "completion": "c<|im_end|>"},
    {"prompt": [USER], "completion": [ANSWER], "tools": [TOOL]},
    {"prompt": [USER], "completion": [THOUGHT], "chat_template_kwargs": {"enable_thinking": False}},
]
PREFERENCES = [
    {"prompt": [USER], "chosen": [ANSWER], "rejected": [LAST]},
    {"chosen": [USER, ANSWER], "rejected": [USER, LAST]},
    {"chosen": [USER, ANSWER, MORE, LAST], "rejected": [USER, ANSWER, MORE, {"role": "assistant", "content": "23."}]},
    {"prompt": USER["content"], "chosen": [USER, ANSWER], "rejected": [USER, LAST]},
    {"prompt": "Is it so?\n", "chosen": "Yes, it is.", "rejected": "No."},
    {"prompt": "2 + 2?", "chosen": " 4", "rejected": " 5<|im_end|>"},
    {"chosen": "The sum is 4", "rejected": "The sum is 5"},
]


def tokenizer(name: str, template: str):
    folder = tempfile.mkdtemp()
    source = TOKENIZERS / name
    for file in source.iterdir():
        (pathlib.Path(folder) / file.name).write_bytes(file.read_bytes())
    ends = {"qwen2-512": "<|im_end|>", "llama2-legacy-4096": "</s>"}
    config = pathlib.Path(folder) / "tokenizer_config.json"
    known = json.loads(config.read_text()) if config.exists() else {}
    start = "<s>" if name.startswith("llama2") else "<|endoftext|>"
    known |= {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": start, "eos_token": ends[name]}
    config.write_text(json.dumps(known))
    made = AutoTokenizer.from_pretrained(folder)
    made.chat_template = template
    if made.pad_token is None:
        made.pad_token = made.eos_token
    return made, {"bos_token": start, "eos_token": ends[name]}


def rendered() -> list:
    result = []
    for name in ("qwen2-512", "llama2-legacy-4096"):
        for style, template in TEMPLATES.items():
            tok, special = tokenizer(name, template)
            for title, request in CONVERSATIONS.items():
                item = {"tokenizer": name, "template": style, "conversation": title, "special_tokens": special}
                arguments = dict(request)
                messages = arguments.pop("messages")
                try:
                    item["text"] = tok.apply_chat_template(messages, tokenize=False, **arguments)
                    item["ids"] = tok.apply_chat_template(messages, return_dict=False, **arguments)
                    if "generation" in template and not arguments.get("continue_final_message"):
                        item["mask"] = tok.apply_chat_template(
                            messages, return_dict=True, return_assistant_tokens_mask=True, **arguments
                        )["assistant_masks"]
                except Exception as error:
                    item["error"] = str(error)
                result.append(item)
    return result


def model(vocabulary: int) -> str:
    folder = tempfile.mkdtemp()
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=512,
        )
    ).save_pretrained(folder)
    return folder


def prepared(trainer, config, rows: list, tok, columns: list) -> list:
    """Each row alone, as TRL decides about a data set by its first row."""
    result = []
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            arguments = config(output_dir=folder, max_length=None, report_to=[], use_cpu=True, bf16=False)
            made = trainer(
                model=model(len(tok)), args=arguments, train_dataset=Dataset.from_list([row]), processing_class=tok
            )
            result.append({column: list(made.train_dataset[0][column]) for column in columns})
    return result


def main() -> None:
    supervised, preferences = [], []
    for name, style in (("qwen2-512", "turns"), ("qwen2-512", "thoughts"), ("llama2-legacy-4096", "lines")):
        tok, special = tokenizer(name, TEMPLATES[style])
        head = {"tokenizer": name, "template": style, "special_tokens": special}
        rows = [row for row in SUPERVISED if style == "thoughts" or "chat_template_kwargs" not in row]
        for row, made in zip(rows, prepared(trl.SFTTrainer, trl.SFTConfig, rows, tok, ["input_ids", "labels"])):
            supervised.append({**head, "line": json.dumps(row), **made})
        rows = []
        for row in PREFERENCES:
            # What the trainer itself does not do: the question in a text beside conversations that hold it.
            rows.append(trl.data_utils.maybe_extract_prompt(dict(row)))
        columns = ["prompt_ids", "chosen_ids", "rejected_ids"]
        for row, made in zip(PREFERENCES, prepared(trl.DPOTrainer, trl.DPOConfig, rows, tok, columns)):
            preferences.append({**head, "line": json.dumps(row), **made})
    result = {
        "versions": {"transformers": transformers.__version__, "trl": trl.__version__},
        "templates": TEMPLATES,
        "conversations": CONVERSATIONS,
        "rendered": rendered(),
        "supervised": supervised,
        "preferences": preferences,
    }
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    (HERE / "chat.json").write_text(text + "\n", encoding="utf-8")
    failed = sum("error" in item for item in result["rendered"])
    print(f"{len(result['rendered'])} rendered ({failed} refused), {len(supervised)} supervised, {len(preferences)} pairs")


if __name__ == "__main__":
    main()
