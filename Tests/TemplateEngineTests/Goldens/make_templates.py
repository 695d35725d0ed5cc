#!/usr/bin/env python3
"""Writes templates.json beside this script: templates, their variables and what transformers makes of them.

Needs `pip install jinja2==3.1.6 transformers==5.24.0`. The templates are the project's own: the small ones of
`snippets` and the chat templates of `chats`, each with the conversations of `conversations.json`. What is expected
comes from transformers' own machinery (its sandbox, filters and tracking of generation blocks), with its clock set to
NOW. Where Python raises, only that it does is kept.
"""

import copy
import datetime
import json
import pathlib
import warnings

import jinja2
import transformers
from transformers.utils import chat_template_utils

from snippets import expressions, filters, methods, statements, whitespace

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

# What the small templates see, besides variables of their own.
VARIABLES = {
    "user": {"name": "Ann", "tags": ["x", "y"], "age": 30},
    "users": [
        {"name": "Ann", "age": 30, "active": True, "city": "Rome", "pet": {"name": "Rex"}},
        {"name": "Bob", "age": 25, "active": False},
        {"name": "cid", "age": 30, "active": True, "city": "oslo"},
        {"name": "Dee", "age": 41, "active": False, "city": "Rome"},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi <there> & \"you\""},
        {"role": "assistant", "content": "Grüße 😀\n"},
        {"role": "user", "content": "  ok  "},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "add",
                "description": "Adds <two> numbers & more.",
                "parameters": {
                    "type": "object",
                    "properties": {"a": {"type": "number"}, "b": {"type": ["integer", "null"], "default": 1.0}},
                    "required": ["a"],
                },
            },
        }
    ],
    "nested": {"a": {"b": {"c": "deep"}}},
    "tree": [
        {"name": "a", "children": [{"name": "b"}, {"name": "c", "children": [{"name": "d"}]}]},
        {"name": "e"},
    ],
    "x": {"y": 3},
}

# Every directive of the C library that needs no time zone, in formats of a few.
DATE_FORMATS = [
    "%Y-%m-%d %H:%M:%S", "%a %A %b %B %h", "%C %y %G %g %V", "%j %U %W %u %w", "%e|%k|%l|%I|%p|%P", "%D %F %T %R %r",
    "%c|%x|%X", "%f%%%n%t%z%Z", "%-d %-m %-H %-I %-M %-S %-j %-y", "%_d %_m %_H %_j", "%^a %^B %#a %#p %05d %6Y %010A",
]


class Clock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return NOW


def render(template: str, variables: dict) -> dict:
    """What transformers makes of a template: the text with the spans of its generation blocks, or the error."""
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        blocks, spans = [], []
        with compiled.environment.activate_tracker(blocks, spans):
            # The filter indent appends to a list that it is wrongly given: no rendering may see what another one did.
            for block in compiled.generate(**copy.deepcopy(variables)):
                blocks.append(block)
        text = "".join(blocks)
    except Exception as error:
        return {"error": type(error).__name__}
    # Transformers counts characters; here UTF-8 bytes are counted, within the text.
    offset = lambda index: len(text[:index].encode())
    expected = {"text": text}
    if spans:
        expected["spans"] = [[offset(start), offset(end)] for start, end in spans]
    return expected


def main() -> None:
    warnings.simplefilter("ignore")
    chat_template_utils.datetime = Clock
    groups = {}
    for module in (expressions, statements, whitespace, filters, methods):
        cases = []
        for snippet in module.SNIPPETS:
            template, own = snippet if isinstance(snippet, tuple) else (snippet, {})
            case = {"template": template}
            if own:
                case["variables"] = own
            case["expected"] = render(template, VARIABLES | own)
            cases.append(case)
        groups[module.__name__.split(".")[-1]] = cases
    conversations = json.loads((HERE / "conversations.json").read_text(encoding="utf-8"))
    chats = {}
    for path in sorted((HERE / "chats").glob("*.jinja")):
        template = path.read_bytes().decode("utf-8")
        chats[path.stem] = {
            name: render(template, SPECIAL_TOKENS | conversation) for name, conversation in conversations.items()
        }
    dates = []
    for year in (1, 999, 1970, 2000, 2023, 2024, 2026):
        for month, day in ((1, 1), (1, 3), (2, 28), (3, 1), (7, 9), (10, 31), (12, 29), (12, 31)):
            moment = datetime.datetime(year, month, day, (month * day) % 24, day, month, 1000 * day)
            for format in DATE_FORMATS:
                dates.append({"moment": moment.isoformat(), "format": format, "text": moment.strftime(format)})
    document = {
        "made_with": {"jinja2": jinja2.__version__, "transformers": transformers.__version__},
        "now": NOW.isoformat(),
        "special_tokens": SPECIAL_TOKENS,
        "variables": VARIABLES,
        "snippets": groups,
        "chats": chats,
        "dates": dates,
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (HERE / "templates.json").write_text(text + "\n", encoding="utf-8")
    rendered = [case["expected"] for cases in groups.values() for case in cases]
    rendered += [expected for expectations in chats.values() for expected in expectations.values()]
    print(len(rendered), "renderings,", sum("error" in expected for expected in rendered), "of them errors")


if __name__ == "__main__":
    main()
