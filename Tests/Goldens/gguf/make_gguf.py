#!/usr/bin/env python3
"""Makes the GGUF files of this folder and what gguf-py reads out of them.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy
    venv/bin/python Tests/Goldens/gguf/make_gguf.py

Everything is drawn from fixed seeds, so running it again changes nothing.

- types.gguf: two rows or more of every element type that Errata reads, named by the type, each beside what gguf-py
  dequantises it to (NAME.floats); and a metadata key of every value type.
- written.gguf: tensors as gguf-py writes them in F32, F16, BF16 and Q8_0, for Errata's writer to write the same bytes.
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value

HERE = pathlib.Path(__file__).parent


def halves(rng, count):
    """Scales as files have them, and those that they seldom have: negative, subnormal, zero, the largest."""
    values = rng.normal(0, 0.02, count).astype(np.float16)
    odd = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00], dtype=np.uint16).view(np.float16)
    places = rng.permutation(count)[: count // 3]
    values[places] = odd[np.arange(len(places)) % len(odd)]
    return values


def random_blocks(rng, kind, blocks):
    """Blocks of random bits, whose half-precision scales are finite."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    data = rng.integers(0, 256, (blocks, size), dtype=np.uint8)
    places = {
        Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
        Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
    }[kind]  # fmt: skip
    for place in places:
        data[:, place : place + 2] = halves(rng, blocks).view(np.uint8).reshape(blocks, 2)
    return data


def add_all_value_types(writer):
    writer.add_uint8("test.uint8", 200)
    writer.add_int8("test.int8", -100)
    writer.add_uint16("test.uint16", 60000)
    writer.add_int16("test.int16", -30000)
    writer.add_uint32("test.uint32", 4_000_000_000)
    writer.add_int32("test.int32", -2_000_000_000)
    writer.add_float32("test.float32", 1e-5)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "naïve 🦊")
    writer.add_uint64("test.uint64", 2**63 + 5)
    writer.add_int64("test.int64", -(2**62))
    writer.add_float64("test.float64", 0.1)
    for name, kind, values in [
        ("uint8", Value.UINT8, [0, 255]), ("int8", Value.INT8, [-128, 127]), ("uint16", Value.UINT16, [0, 65535]),
        ("int16", Value.INT16, [-32768, 32767]), ("uint32", Value.UINT32, [0, 2**32 - 1]),
        ("int32", Value.INT32, [-(2**31), 2**31 - 1]), ("uint64", Value.UINT64, [0, 2**64 - 1]),
        ("int64", Value.INT64, [-(2**63), 2**63 - 1]), ("float32", Value.FLOAT32, [0.5, -1.25]),
        ("float64", Value.FLOAT64, [0.1, -1e300]), ("bool", Value.BOOL, [True, False]),
        ("string", Value.STRING, ["", "a", "é"]),
    ]:  # fmt: skip
        writer.add_key_value(f"test.array.{name}", values, Value.ARRAY, kind)


def make_types():
    writer = gguf.GGUFWriter(HERE / "types.gguf", "test")
    add_all_value_types(writer)

    def add(name, kind, stored, shape):
        floats = gguf.quants.dequantize(stored, kind).astype(np.float32).reshape(shape)
        writer.add_tensor(name, stored, raw_dtype=kind)
        writer.add_tensor(name + ".floats", floats)

    rng = np.random.default_rng(10)
    odd = np.array([0.0, -0.0, 1.0, -1.5, 6e-8, 65504.0, 1e-41, -3e38, np.inf, -np.inf], dtype=np.float32)
    values = np.concatenate([odd, rng.normal(0, 1, 22).astype(np.float32)]).reshape(4, 8)
    with np.errstate(over="ignore"):
        add("F16", Type.F16, values.astype(np.float16), (4, 8))
    add("BF16", Type.BF16, gguf.quants.quantize(values, Type.BF16), (4, 8))
    for kind in [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]:
        weights = rng.normal(0, 0.05, (3, 64)).astype(np.float32)
        add(kind.name + ".quantized", kind, gguf.quants.quantize(weights, kind), (3, 64))
        add(kind.name, kind, random_blocks(rng, kind, 12).reshape(3, -1), (3, 128))
    for kind in [Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K]:
        add(kind.name, kind, random_blocks(rng, kind, 8).reshape(4, -1), (4, 512))
    finish(writer)


def make_written():
    writer = gguf.GGUFWriter(HERE / "written.gguf", "test")
    add_all_value_types(writer)
    rng = np.random.default_rng(11)
    # Values that lie half way between two of Q8_0's, very small blocks, and one of zeros.
    halfway = ((np.arange(32) - 15.5) * 2 / 127).astype(np.float32) * 2
    halfway[0] = 127 / 127 * 2
    rows = np.stack([
        rng.normal(0, 0.05, 64), np.concatenate([halfway, np.zeros(32)]), rng.normal(0, 1e-6, 64),
        rng.normal(0, 100, 64), np.concatenate([rng.normal(0, 1e-40, 32), rng.normal(0, 3e-39, 32)]),
    ]).astype(np.float32)  # fmt: skip
    vector = rng.normal(0, 1, 7).astype(np.float32)
    writer.add_tensor("vector", vector)
    writer.add_tensor("F32", rows)
    writer.add_tensor("F16", rows.astype(np.float16))
    writer.add_tensor("BF16", gguf.quants.quantize(rows, Type.BF16), raw_dtype=Type.BF16)
    writer.add_tensor("Q8_0", gguf.quants.quantize(rows[:4], Type.Q8_0), raw_dtype=Type.Q8_0)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    make_types()
    make_written()
