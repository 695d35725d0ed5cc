"""The strings that every tokenizer is held to."""
import random

from .common import HERE

COUNT = 360
PLAIN = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", " \n", "\r\n", "a", " a", "a ", " a ", "A", "Hello, teacher!", "hello teacher",
    " leading", "trailing ", "  two  spaces  ", "tabs\tand\tmore\t\ttabs", "line one\nline two\n\nline four\n",
    "crlf\r\nline\r\n", "a\r\n\r\nb", "\r", "a\rb", " \r\n x", "mixed \n \n  x\n", "end with newline\n", "   \n   x",
    "x\u00a0y", "x\u2003y\u3000z", "\u200b", "a\u200db", "a\u2028b\u2029c\u0085d", "\x0b\x0c",
    "don't can't it's we'll they've I'm you'd", "DON'T CAN'T IT'S WE'LL", "Nora's 'quoted' text", "’s curly ’t", "'S 'T 'RE",
    "Seven lazy otters count up to twelve.", "The student writes each step and marks the first wrong one.",
    "ERRATA LEARNS FROM MISTAKES", "unforgettablenesses", "word" * 20, "a" * 64, " " * 17 + "x", "\n" * 9, "ab " * 20,
]  # fmt: skip
NUMBERS = [
    "0", "7", "42", "123", "1234", "12345", "123456", "1234567890", "3.14159", "-1.5e-10", "1,000,000", "0x1F", "2026-11-20",
    "x=1;y=22;z=333", "½ ¼ ²³", "١٢٣", "一二三", "Ⅳ", "①②③", "a1b22c333", "1st 2nd 3rd", "v2.0.1", "12:30", "$4.50", "50%",
    "x1 x2 x10", "1 2  3   4", " 12", "12 ", "\t7\n8", "'12's", "it's7", "7's", "१२३ गणित", "๑๒๓", "12３４56", "𝟏𝟐𝟑", "x² + y³ = z⁴",
    "H₂O", "a²b", "1²", "²1", "٣apples", "3apples", "apples3", "三3", "1\u0301", "9\u20e3", "①a①", "㉑㉒", "½cup", "1½", "Ⅻ.", "৪৫",
    "6*14=<<6*14=84>>84", "12\r\n34", "1\u00a02", "1😀2", "+1 (555) 010-0000", "1" * 25, "12 " * 9,
]  # fmt: skip
SCRIPTS = [
    "café", "cafe\u0301", "naïve façade", "Ångström", "A\u030angstro\u0308m", "ﬁ ligature", "Zürich", "ß ẞ", "İstanbul ı", "ǅ",
    "数学", "りんごが三つ。", "机器从错误中学习", "中文,English混合text", "한국어 문장입니다.", "\u1112\u1161\u11ab", "Привет, Маша!", "Ελληνικά",
    "العربية", "עברית", "हिन्दी गणित", "ไทย", "🙂", "😀🎉🚀", "👩‍👩‍👧‍👦", "🇯🇵🇫🇷", "👍🏽", "a😀b", "☃", "𝒳𝓎", "𠮷野家", "e\u0301\u0301", "\u0300",
    "q\u0307\u0323", "q\u0323\u0307", "\u0344", "Å", "\u2126 \u212b", "각\u11a8", "é" * 10, "数" * 10, "😀" * 5, "👨‍👩‍👧 👩‍🏫",
]  # fmt: skip
FORMULAS = [
    "$x^2$", "\\frac{1}{2}", "\\sqrt{x^2+y^2}", "$$\\int_0^1 t^n\\,dt = \\frac{1}{n+1}$$",
    "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}", "\\boxed{42}", "g(t)=at^2+bt+c", "∑_{k=1}^{n} k = n(n+1)/2", "x ≤ y ≥ z ≠ w",
    "\\left( \\frac{a}{b} \\right)", "a_{i,j}^{(k)}", "\\text{if } x > 0", "$$", "{}[]()<>", "||x||_2", "x→∞", "∀x∈ℝ ∃y",
]  # fmt: skip
SIGNS = [
    "!", "!!!", "...", "…", "--", "—", "?!", "a.b.c", "a,b", "(a)", "[b]", "#$%^&*", "@user", "http://example.com/path?q=1&r=2",
    "user@example.com", "C:\\Folder\\x", "/usr/share/doc", "snake_case_name", "camelCaseName", "PascalCase", "kebab-case", "!" * 25,
    "def area(a, b):\n\treturn a * b / 2\n", "for step in range(10):\n    print(step)\n", "    indented", "\t\tindented",
    "if (x&&y) { z(); }",
]  # fmt: skip
MARKS = [
    "<|im_start|>user\nHi<|im_end|>\n",
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n",
    "<|endoftext|>", "a<|endoftext|>b", " <|im_end|> ", "<|im_start|", "<|im_end|><|im_end|>", "<|unknown|>", "<s>", "</s>",
    "<unk>", "<s> a </s>", "<0x41>", "<|begin_of_text|>hello<|eot_id|>", "<file_sep>x",
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>", "\x00", "a\x00b", "\x07\x1b[0m", "\ufeffBOM", "\ufffd", "\ud7ff",
    "\ue000", "\U0010ffff", "▁", "▁a ▁b", "a▁b", "Ġ Ċ",
]  # fmt: skip
LETTERS = "abcXYZ 0123 \n\t.,;'\"\\{}$^_éüßñ数学관한글РусΑβ😀🎉→≤∑²½٣１\u00a0\u3000\u0301\r"


def strings() -> list[str]:
    """The lists above, filled up with mixtures of words and of letters; the same on every machine."""
    source = random.Random(20261128)
    prose, scripts = ((HERE / "tok" / name).read_text(encoding="utf-8") for name in ("corpus.txt", "scripts.txt"))
    pieces = [word for word in (prose[:30000] + scripts).split(" ") if word] + list("0123456789")
    pieces += ["\n", "\t", "  ", "   ", "\n\n", "\r\n", "'s", "'ll", "\\", "$", "^{2}", "_{i}"]
    found = list(dict.fromkeys(PLAIN + NUMBERS + SCRIPTS + FORMULAS + SIGNS + MARKS))
    while len(found) < COUNT:
        if source.random() < 0.6:
            gaps = ["", " ", " ", "  ", "\n"]
            text = "".join(source.choice(pieces) + source.choice(gaps) for _ in range(source.randint(2, 12)))[:160]
        else:
            text = "".join(source.choice(LETTERS) for _ in range(source.randint(3, 40)))
        if text not in found:
            found.append(text)
    assert len(found) == COUNT
    return found
