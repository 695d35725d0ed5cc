"""Holds one folder of goldens against another, file by file; needs nothing but Python."""
import array
import json
import pathlib
import shutil
import struct
import sys
import tempfile

# As the tests': relative to a value, and to the largest of a tensor. Sums of log-probabilities differ by a little more.
RELATIVE, OF_LARGEST, ABSOLUTE = 1e-4, 1e-5, 2e-5
# AdamW divides a gradient by its size: an element whose gradient is noise may go the other way, all steps long.
NOISY_SHARE, NOISY_STEP = 0.02, 2 * 3 * 1e-3
ADAMW = ("adamw_", "dpo_train.final", "adapter_after3")


def read_tensors(path: pathlib.Path) -> tuple[dict, dict[str, list[float]]]:
    """What the header says, and the values."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    values = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "F32":
            found = array.array("f", content[begin:end])
        elif entry["dtype"] == "BF16":
            halves = array.array("H", content[begin:end])
            found = array.array("f", array.array("I", [half << 16 for half in halves]).tobytes())
        else:
            raise ValueError(f"{path}: {name} has the type {entry['dtype']}")
        values[name] = list(found)
    return header, values


def tensor_difference(name: str, kept: list[float], made: list[float], is_adamw: bool, relative: float) -> str | None:
    largest = max((abs(value) for value in kept), default=0)
    far = [
        (index, abs(a - b)) for index, (a, b) in enumerate(zip(kept, made))
        if not abs(a - b) <= relative * abs(a) + OF_LARGEST * largest
    ]  # fmt: skip
    if is_adamw and len(far) <= NOISY_SHARE * len(kept) + 1 and all(gap <= NOISY_STEP for _, gap in far):
        return None
    return f"{name}[{far[0][0]}] differs by {far[0][1]:.2e}, {len(far)} of {len(kept)} do" if far else None


def json_difference(kept, made, place="") -> str | None:
    if isinstance(kept, float) or isinstance(made, float):
        if not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (kept, made)):
            return f"{place}: {kept!r} against {made!r}"
        return None if abs(kept - made) <= RELATIVE * abs(kept) + ABSOLUTE else f"{place}: {kept} against {made}"
    if isinstance(kept, dict) and isinstance(made, dict) and kept.keys() == made.keys():
        pairs = [(f"{place}.{key}", kept[key], made[key]) for key in kept]
    elif isinstance(kept, list) and isinstance(made, list) and len(kept) == len(made):
        pairs = [(f"{place}[{index}]", a, b) for index, (a, b) in enumerate(zip(kept, made))]
    else:
        return None if kept == made and type(kept) is type(made) else f"{place}: not the same"
    return next((found for place, a, b in pairs if (found := json_difference(a, b, place))), None)


def difference(kept: pathlib.Path, made: pathlib.Path) -> str | None:
    """Nil where the files say the same within the bounds."""
    if kept.suffix == ".safetensors":
        (kept_header, kept_values), (made_header, made_values) = read_tensors(kept), read_tensors(made)
        if kept_header != made_header:
            return "names, types, shapes or places differ"
        is_adamw = any(mark in str(kept) for mark in ADAMW)
        relative = 1 / 128 if "bf16" in str(kept) else RELATIVE
        found = (tensor_difference(n, kept_values[n], made_values[n], is_adamw, relative) for n in kept_values)
        return next((text for text in found if text), None)
    if kept.suffix == ".json" and kept.name != "tokenizer.json":
        return json_difference(*(json.loads(path.read_text(encoding="utf-8")) for path in (kept, made)))
    return None if kept.read_bytes() == made.read_bytes() else "not the same bytes"


def compare(kept: pathlib.Path, made: pathlib.Path, names: set[str]) -> int:
    """Prints what differs; the number of such files."""
    identical, near, wrong = 0, [], 0
    for name in sorted(names):
        if not (kept / name).exists():
            print(f"{name}: made, but not kept")
            wrong += 1
        elif (kept / name).read_bytes() == (made / name).read_bytes():
            identical += 1
        elif found := difference(kept / name, made / name):
            print(f"{name}: {found}")
            wrong += 1
        else:
            near.append(name)
    print(f"{identical} files are the same bytes, {len(near)} within the bounds, {wrong} not")
    return wrong


def self_test(kept: pathlib.Path):
    """Plants a fault in a copy of each kind of file, and looks whether it is seen."""
    plants = {
        "tiny-qwen2/model.safetensors": lambda b: b[:-4] + struct.pack("<f", struct.unpack("<f", b[-4:])[0] + 0.01),
        "tiny-llama.adamw_step3.safetensors": lambda b: b[:-4] + struct.pack("<f", 9.0),
        "dpo.json": lambda b: b.replace(b'"loss":0.', b'"loss":1.', 1),
        "tok/llama3-4096.ids.json": lambda b: b.replace(b'"ids":[5', b'"ids":[6', 1),
        "tok/qwen2-512/tokenizer.json": lambda b: b.replace(b'"NFC"', b'"NFD"', 1),
        "tiny-qwen2/config.json": lambda b: b.replace(b'"silu"', b'"gelu"', 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, plant) in enumerate(plants.items()):
            copy = pathlib.Path(folder) / str(number) / name
            copy.parent.mkdir(parents=True)
            shutil.copy(kept / name, copy)
            assert difference(kept / name, copy) is None, f"{name} differs from its copy"
            copy.write_bytes(plant((kept / name).read_bytes()))
            assert copy.read_bytes() != (kept / name).read_bytes(), f"nothing planted in {name}"
            assert difference(kept / name, copy), f"a planted fault in {name} was not seen"


if __name__ == "__main__":
    self_test(pathlib.Path(sys.argv[1]))
