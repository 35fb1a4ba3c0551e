#!/usr/bin/env python3
"""The textbook walk against a computation of its own: nothing but Python's floats, no NumPy, nothing of limpid.

  tests/walk_test.py build/dev/limpid

The random numbers are NumPy's np.random.seed(N) and np.random.rand, written out below from the Mersenne Twister's
paper (Matsumoto and Nishimura 1998; init_genrand of the 2002 version).  Every stage of
`limpid trace ... --network textbook --seed N --json` must equal ours to 1e-12 of max(1, |value|).
"""
import json
import math
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/dev/limpid"
TOLERANCE = 1e-12


# ---- NumPy's random numbers ----------------------------------------------------------------------------

class MersenneTwister:
    def __init__(self, seed):
        self.state = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            last = self.state[-1]
            self.state.append((1812433253 * (last ^ (last >> 30)) + i) & 0xFFFFFFFF)
        self.at = 624

    def next_state(self):
        s = self.state
        for i in range(624):
            y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7FFFFFFF)
            s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
        self.at = 0

    def word(self):
        if self.at == 624:
            self.next_state()
        y = self.state[self.at]
        self.at += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def rand(self):
        """53 bits of two outputs: a number in [0, 1)."""
        high, low = self.word() >> 5, self.word() >> 6
        return (high * 67108864.0 + low) / 9007199254740992.0

    def matrix(self, rows, columns):
        return [[self.rand() for _ in range(columns)] for _ in range(rows)]


# ---- the walk, in plain Python -------------------------------------------------------------------------

def product(a, b):
    return [[math.fsum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def transposed(a):
    return [list(column) for column in zip(*a)]


def softmax_rows(a):
    out = []
    for row in a:
        top = max(row)
        parts = [math.exp(x - top) for x in row]
        out.append([p / math.fsum(parts) for p in parts])
    return out


def columns_of(a, first, count):
    return [row[first:first + count] for row in a]


def add(a, b):
    return [[x + y for x, y in zip(r, s)] for r, s in zip(a, b)]


def normalised(row):
    mean = math.fsum(row) / len(row)
    variance = math.fsum((x - mean) ** 2 for x in row) / len(row)
    return [(x - mean) / math.sqrt(variance + 1e-5) for x in row]


def sines(words, width):
    """Attention Is All You Need, section 3.5."""
    def one(t, c):
        angle = t / 10000 ** (c // 2 * 2 / width)
        return math.sin(angle) if c % 2 == 0 else math.cos(angle)
    return [[one(t, c) for c in range(width)] for t in range(words)]


def turned(rows):
    """Rotary positions (Su 2021) over one head; number i and number i + half make a pair."""
    out = []
    for t, row in enumerate(rows):
        half = len(row) // 2
        new = row[:]
        for i in range(half):
            angle = t * 10000 ** (-2 * i / len(row))
            x, y = row[i], row[i + half]
            new[i] = x * math.cos(angle) - y * math.sin(angle)
            new[i + half] = x * math.sin(angle) + y * math.cos(angle)
        out.append(new)
    return out


def walk(words, seed, width=4, heads=1, positions="none", mask="none", add_norm=False, output="next-word",
         outputs=0, vectors=None):
    """Every stage by its name in the trace, and every parameter."""
    random = MersenneTwister(seed)
    n, head = len(words), width // heads
    stages, parameters = {}, {}
    if vectors is None:
        # The number shown for a word is the row that this occurrence reads.
        stages["ids"] = list(range(n))
        parameters["embed.W_E"] = random.matrix(n, width)
        x = stages["embed"] = parameters["embed.W_E"]
    else:
        x = vectors
    for name in "QKV":
        parameters["blocks.0.attn.W_" + name] = random.matrix(width, width)
    results = {"next-word": n, "class": outputs or 2, "regression": outputs or 1}[output]
    if output == "next-word" and outputs:
        results = outputs
    w_out = parameters["unembed.W_U"] = random.matrix(width, results)
    # What a further option adds draws after all of these.
    if positions == "learned":
        table = parameters["pos_embed.W_pos"] = random.matrix(n, width)
        x = stages["blocks.0.resid_pre"] = add(x, table)
    elif positions == "sinusoidal":
        x = stages["blocks.0.resid_pre"] = add(x, sines(n, width))
    q, k, v = (product(x, parameters["blocks.0.attn.W_" + name]) for name in "QKV")
    stages.update({"blocks.0.attn.q": q, "blocks.0.attn.k": k, "blocks.0.attn.v": v})
    parts = {"raw_scores": [], "scaled_scores": [], "scores": [], "pattern": []}
    joined = [[] for _ in range(n)]
    for h in range(heads):
        qh, kh, vh = (columns_of(m, h * head, head) for m in (q, k, v))
        if positions == "rotary":
            qh, kh = turned(qh), turned(kh)
        raw = product(qh, transposed(kh))
        scores = [[s / math.sqrt(head) for s in row] for row in raw]
        parts["raw_scores"].append(raw)
        parts["scaled_scores"].append(scores)
        if mask == "causal":
            scores = [[s if j <= i else -math.inf for j, s in enumerate(row)] for i, row in enumerate(scores)]
            parts["scores"].append(scores)
        pattern = softmax_rows(scores)
        parts["pattern"].append(pattern)
        for row, more in zip(joined, product(pattern, vh)):
            row += more
    stages.update({"blocks.0.attn." + name: part for name, part in parts.items() if part})
    stages["blocks.0.attn.z"] = joined
    out = joined
    if heads > 1:
        w_o = parameters["blocks.0.attn.W_O"] = random.matrix(width, width)
        out = stages["blocks.0.attn_out"] = product(joined, w_o)
    if add_norm:
        out = stages["blocks.0.resid_mid"] = add(x, out)
        out = stages["blocks.0.ln1.normalized"] = [normalised(row) for row in out]
    if output != "next-word":
        out = stages["pooled"] = [[math.fsum(column) / n for column in zip(*out)]]
    last = product(out, w_out)
    if output == "regression":
        stages["prediction"] = last
    else:
        stages["logits"] = last
        stages["probs"] = softmax_rows(last)
    return stages, parameters


# ---- comparing -----------------------------------------------------------------------------------------

def flat(value):
    if isinstance(value, list):
        return [x for part in value for x in flat(part)]
    return [float(value)]  # "-inf" too


def difference(ours, theirs):
    """The largest difference, as a share of max(1, |value|)."""
    if len(ours) != len(theirs):
        return math.inf
    worst = 0.0
    for a, b in zip(ours, theirs):
        if a == b:
            continue
        gap = abs(a - b) / max(1.0, abs(a))
        worst = max(worst, gap if gap == gap else math.inf)
    return worst


def heads_first(stages):
    """Per-head matrices [H,T,S] as the trace's [B,H,T,S]; the others are [T,..] alike: only the flat order matters."""
    return {name: flat(value) for name, value in stages.items()}


def limpid(*arguments):
    done = subprocess.run([PROGRAM, "trace", *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


passed = failed = 0


def case(name, check):
    global passed, failed
    try:
        check()
        passed += 1
    except Exception as error:  # every failure is told, none stops the others
        failed += 1
        print(f"FAILED {name}: {error}")


def compare(trace, stages, parameters):
    if "ids" in stages:
        assert [t["id"] for t in trace["tokens"]] == stages["ids"], [t["id"] for t in trace["tokens"]]
    for kind, ours in (("values", stages), ("parameters", parameters)):
        for name, value in heads_first(ours).items():
            if name == "ids":
                continue
            assert name in trace[kind], f"{name} is not among the {kind}: {sorted(trace[kind])}"
            gap = difference(value, flat(trace[kind][name]["data"]))
            assert gap <= TOLERANCE, f"{name} differs by {gap:g}"
    unknown = set(trace["parameters"]) - set(parameters)
    for name in unknown:  # gains and biases are not drawn
        numbers = set(flat(trace["parameters"][name]["data"]))
        assert name.startswith("blocks.0.ln1.") and numbers in ({0.0}, {1.0}), f"parameter {name} is not in the walk"


def check_walk(text, seed, **options):
    def check():
        arguments = [text, "--network", "textbook", "--seed", str(seed), "--params"]
        for key, value in options.items():
            flag = "--" + key.replace("_", "-")
            arguments += [flag] if value is True else [flag, str(value)]
        compare(limpid(*arguments), *walk(text.split(), seed, **options))
    case(f"{text!r} seed {seed} {options or ''}", check)


def check_anchors():
    random = MersenneTwister(7)
    first = [round(random.rand(), 8) for _ in range(4)]
    assert first == [0.07630829, 0.77991879, 0.43840923, 0.72346518], first
    trace = limpid("Life is short", "--network", "textbook", "--seed", "7")
    row = trace["values"]["probs"]["data"][0][0]
    assert [round(p, 8) for p in row] == [0.32494212, 0.57755193, 0.09750595], row
    ours = walk(["Life", "is", "short"], 7)[0]["probs"][0]
    assert [round(p, 8) for p in ours] == [0.32494212, 0.57755193, 0.09750595], ours


def check_repeated_words():
    trace = limpid("the cat and the dog", "--network", "textbook", "--seed", "3", "--params")
    assert [t["id"] for t in trace["tokens"]] == [0, 1, 2, 3, 4]
    table = trace["values"]["embed"]["data"][0]
    for token, row in zip(trace["tokens"], table):
        assert trace["parameters"]["embed.W_E"]["data"][token["id"]] == row, "the row that is named is the row that is read"
    assert trace["values"]["tokens"]["data"][0] == [0, 1, 2, 3, 4]
    assert trace["vocabulary"] == ["the", "cat", "and", "the#2", "dog"], trace["vocabulary"]
    assert any('"the" the rows 0, 3;' in note and "last index stays (3)" in note for note in trace["notes"]), trace["notes"]
    page = subprocess.run([PROGRAM, "trace", "a b a", "--network", "textbook", "--heads", "2"], capture_output=True, text=True).stdout
    for line in ("a 0   b 1   a 2", "The sentence, and the row of the table that each word reads.", "head 1 of 2"):
        assert line in page, line
    w_o = page[page.index("attn.W_O"):page.index("attn_out  [")]
    assert w_o.count("\n") == 5, w_o  # its heading and the four rows of a 4 x 4 matrix
    assert table[0] != table[3], "each occurrence has its own row"
    assert trace["values"]["logits"]["shape"] == [1, 5, 5], "and its own column of W_out"


def check_vectors():
    random = MersenneTwister(11)
    vectors = [[2 * random.rand() - 1 for _ in range(6)] for _ in range(5)]
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("\n".join(",".join(repr(x) for x in row) for row in vectors) + "\n")
        file.flush()
        trace = limpid("--vectors", file.name, "--seed", "5", "--params")
    compare(trace, *walk(["X"] * 5, 5, width=6, vectors=vectors))
    assert [t["label"] for t in trace["tokens"]] == ["X1", "X2", "X3", "X4", "X5"]


def main():
    case("anchors of NumPy and of the issue", check_anchors)
    case("repeated words", check_repeated_words)
    sentences = ["Life is short", "the cat sat on the mat and the dog sat on the cat", "one", "a b a b a", "naïve café 漢字 🙂"]
    for text in sentences:
        for seed in (0, 7, 42, 4294967295):
            check_walk(text, seed)
    text = "to be or not to be"
    for options in ({"heads": 2}, {"heads": 4}, {"mask": "causal"}, {"positions": "learned"},
                    {"positions": "sinusoidal"}, {"positions": "rotary"}, {"add_norm": True}, {"width": 8},
                    {"output": "class"}, {"output": "class", "outputs": 5}, {"output": "regression"},
                    {"output": "regression", "outputs": 3}, {"width": 8, "heads": 2, "positions": "rotary"},
                    {"width": 8, "heads": 4, "positions": "learned", "mask": "causal", "add_norm": True}):
        check_walk(text, 7, **options)
    case("vectors", check_vectors)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
