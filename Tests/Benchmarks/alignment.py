#!/usr/bin/env python3
"""Key-step alignment beside rapidfuzz's Levenshtein.editops, on the same token ids in one run.

    python3 -m venv VENV && VENV/bin/pip install rapidfuzz
    swift build -c release --product AlignmentBenchmark
    VENV/bin/python Tests/Benchmarks/alignment.py .build/release/AlignmentBenchmark [--pairs FILE]

The two take turns on each set; printed are the medians of pairs a second and their ratio. Errata's side makes both
scripts of the pair, the operations and each token's kind; rapidfuzz's side makes one script and is given the layout of
the ids that it is fastest with. --pairs FILE adds real pairs: JSON lines with the texts `right` and `wrong`.
"""

import argparse
import array
import json
import random
import re
import statistics
import subprocess
import tempfile
import time

from rapidfuzz.distance import Levenshtein


def edited(tokens, edits, letters, source):
    tokens = list(tokens)
    for _ in range(edits):
        place = source.randrange(len(tokens))
        kind = source.randrange(3)
        if kind == 0:
            tokens[place] = source.randrange(letters)
        elif kind == 1:
            del tokens[place]
        else:
            tokens.insert(place, source.randrange(letters))
    return tokens


def generated(length, share, letters, count, seed):
    """Pairs of about `length` ids, drawn unevenly as words are, that differ by `share` of them; 1 is unrelated."""
    source = random.Random(seed)

    def draw():
        return [min(letters - 1, int(letters ** source.random()) - 1) for _ in range(length)]

    pairs = []
    for _ in range(count):
        right = draw()
        pairs.append((right, draw() if share == 1 else edited(right, round(share * length), letters, source)))
    return pairs


def real(path):
    numbers = {}

    def ids(text):
        return [numbers.setdefault(word, len(numbers)) for word in re.findall(r"[A-Za-z]+|\S", text)]

    with open(path) as lines:
        return [(ids(pair["right"]), ids(pair["wrong"])) for pair in map(json.loads, lines)]


def theirs(pairs, seconds):
    rates = []
    for convert in (list, lambda ids: array.array("I", ids)):
        converted = [(convert(right), convert(wrong)) for right, wrong in pairs]
        rounds = 0
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            for right, wrong in converted:
                Levenshtein.editops(right, wrong)
            rounds += 1
        rates.append(rounds * len(pairs) / (time.perf_counter() - start))
    return max(rates)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--pairs")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()
    sets = {
        f"{length} tokens, {name}": generated(length, share, letters, 40, length)
        for length, letters in ((200, 2_000), (2_000, 8_000))
        for name, share in (("7 % edited", 0.07), ("30 % edited", 0.3), ("unrelated", 1))
    }
    sets["4096 tokens, 20 edited"] = generated(4_096, 20 / 4_096, 8_000, 20, 7)
    if options.pairs:
        sets["real pairs"] = real(options.pairs)
    print(f"{'set':28}{'Errata /s':>12}{'rapidfuzz /s':>14}{'ratio':>8}{'worst':>8}")
    for name, pairs in sets.items():
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(pairs, file)
            file.flush()
            ours, others = [], []
            for _ in range(options.turns):
                command = [options.program, file.name, str(options.seconds)]
                rate, distances = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                ours.append(float(rate))
                others.append(theirs(pairs, options.seconds))
            expected = sum(Levenshtein.distance(right, wrong) for right, wrong in pairs)
            if int(distances) != expected:
                raise SystemExit(f"{name}: the distances sum to {distances}, not to {expected}")
        ratios = [mine / theirs for mine, theirs in zip(ours, others)]
        print(
            f"{name:28}{statistics.median(ours):12.0f}{statistics.median(others):14.0f}"
            f"{statistics.median(ratios):8.2f}{min(ratios):8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
