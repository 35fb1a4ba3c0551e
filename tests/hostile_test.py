#!/usr/bin/env python3
"""Hostile files: whatever a file says, the command ends with one clear line and exit status 1 or 2, in little memory
and time.  Each case is a file that is made here (tests/hostile/ holds none that can be made by a few lines), the call
that reads it, the status, and words of the line.

  tests/hostile_test.py build/dev/limpid
"""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import zlib

import hostile_torch
from cli_helpers import PROGRAM, SANITIZED

MOST_MEMORY = 8 << 30  # of addresses: threads' stacks and reserved arenas count, so it is no measure of what is used
CASES = []


def case(name, status, words, *arguments, **files):
    """A call that must be refused; `files` are written first (`_` in a name stands for a dot)."""
    CASES.append((name, status, [words] if isinstance(words, str) else words, arguments, files))


# ---- files ---------------------------------------------------------------------------------------------

def deep(depth=150_000, inner="1", opening="[", closing="]"):
    return opening * depth + inner + closing * depth


def deep_object(depth=150_000):
    return deep(depth, "1", '{"a":', "}")


def safetensors(metadata=None, tensors=(), header=None):
    """tensors: (name, shape) of zeros in f32."""
    if header is None:
        parts, end = [], 0
        if metadata:
            parts.append('"__metadata__":' + json.dumps(metadata))
        for name, shape in tensors:
            size = 4
            for axis in shape:
                size *= axis
            parts.append(f'{json.dumps(name)}:{{"dtype":"F32","shape":{json.dumps(list(shape))},'
                         f'"data_offsets":[{end},{end + size}]}}')
            end += size
        header = "{" + ",".join(parts) + "}"
    else:
        end = 0
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def npy(header, data=b"", version=1, length=None):
    text = header if isinstance(header, bytes) else header.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def array(shape, data=None, descr="<f4", order="False"):
    return npy(f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}", data if data is not None else b"")


def archive(entries):
    """A zip of (name, stored bytes, unpacked size, crc32, method)."""
    out, directory = b"", b""
    for name, stored, size, crc, method in entries:
        common = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, crc, len(stored), size, len(name), 0)
        directory += b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + name.encode()
        out += b"PK\3\4" + common + name.encode() + stored
    return out + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(out), 0)


def stored(name, data):
    return name, data, len(data), zlib.crc32(data), 0


def bomb(megabytes):
    """An array of zeros of so many MiB, in a thousandth of that."""
    head = array(f"({megabytes << 18},)")
    head += bytes((-len(head)) % 64)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = bytes(1 << 20)
    packed, crc = packer.compress(head), zlib.crc32(head)
    for _ in range(megabytes):
        packed += packer.compress(chunk)
        crc = zlib.crc32(chunk, crc)
    return archive([("x.npy", packed + packer.flush(), len(head) + (megabytes << 20), crc, 8)])


# ---- JSON, wherever it is read -------------------------------------------------------------------------

DEEP = "nested more than 64 deep"
case("a recipe nested deep", 2, DEEP, "train", "r.json", r_json='{"network":' + deep() + "}")
case("a recipe of objects in objects", 2, DEEP, "train", "r.json", r_json=deep_object())
case("a recipe that opens only", 2, DEEP, "train", "r.json", r_json="[" * 3_000_000)
for key, name in (("limpid.model", "a model's description"), ("limpid", "a trace's description"),
                  ("limpid.checkpoint", "a checkpoint's description")):
    for text, kind in ((deep(), "lists"), (deep_object(), "objects")):
        case(f"{name}, {kind} in {kind}", 1, DEEP, "info", "x.safetensors", x_safetensors=safetensors({key: text}))
case("a model nested deep, run", 1, DEEP, "trace", "a", "--model", "x.safetensors",
     x_safetensors=safetensors({"limpid.model": '{"schema":1,"network":' + deep() + "}"}))
case("a tokenizer nested deep", 1, DEEP, "generate", "a", "--model", "x.safetensors",
     x_safetensors=safetensors({"limpid.model": '{"schema":1,"network":{"network":"gpt","vocabulary":2},'
                                '"tokenizer":{"kind":"words","words":' + deep() + "}}"}))
case("a trace nested deep, shown", 1, DEEP, "trace", "x.safetensors",
     x_safetensors=safetensors({"limpid": '{"schema":1,"engine":' + deep() + "}"}))
case("a trace nested deep, drawn", 1, DEEP, "draw", "x.safetensors", "-o", "x.svg",
     x_safetensors=safetensors({"limpid": deep_object()}))
case("a trace in an archive, nested deep", 1, DEEP, "trace", "x.npz",
     x_npz=archive([stored("metadata.json.npy", array("(300001,)", deep().encode(), "|u1"))]))
MINGPT = [("transformer.wte.weight", (2, 2)), ("transformer.h.0.attn.c_attn.weight", (6, 2))]
case("a foreign model's configuration nested deep", 1, DEEP, "trace", "--tokens", "0", "--model", "x.safetensors",
     x_safetensors=safetensors({"config": deep()}, MINGPT))
case("a training log nested deep", 1, DEEP, "draw", "training", "log.jsonl", "-o", "x.svg",
     log_jsonl='{"loss":' + deep() + "}\n")
case("a header nested deep", 1, "nested more than 64 deep", "info", "x.safetensors",
     x_safetensors=safetensors(header='{"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"more":' + deep() + "}}"))
case("a header of lists", 1, "the header is [...]", "info", "x.safetensors", x_safetensors=safetensors(header=deep()))

CASES += hostile_torch.cases(archive, stored)

# ---- recipes -------------------------------------------------------------------------------------------

NETWORK = '"network":{"network":"gpt","layers":1,"heads":1,"width":4}'
for setting, words in (
        ('"steps":1e300', "steps is 1e+300, expected a whole number from 1 to 9007199254740992"),
        ('"steps":-1', "steps is -1, expected a whole number from 1"),
        ('"steps":1.5', "steps is 1.5"), ('"steps":null', "steps is null"), ('"steps":[1]', "steps is a list"),
        ('"steps":18446744073709551616', "steps is 1.844"), ('"steps":NaN', "not JSON"),
        ('"learning_rate":1e999', "number overflow"), ('"learning_rate":"nan"', "learning_rate is \"nan\""),
        ('"steps":5,"steps":6', "the key steps is given twice"), ('"seed":-1', "seed is -1"),
        ('"context":1e15', "too short"), ('"vocabulary":0,"tokenizer":"bpe"', "vocabulary is 0"),
        ('"data":[{"file":"t.txt","skip":-5}]', "data[0].skip is -5"),
        ('"data":[{"file":"t.txt","take":1e300}]', "data[0].take is 1e+300"),
        ('"data":{"file":7}', "data is an object"), ('"data":[7]', "data[0] is 7"),
        ('"examples":true', "examples is true"), ('"title":5', "title is 5")):
    status = 2
    case(f"a recipe with {setting}", status, words, "train", "r.json", "--data", "t.txt",
         r_json="{" + NETWORK + "," + setting + "}", t_txt="to be or not to be " * 40)
for setting, words, status in (
        ('"layers":1000000000', "layers is 1000000000, expected 1 to 1000", 2),
        ('"layers":1e300', "layers is 1e+300", 2), ('"width":9007199254740992', "width is 9007199254740992", 2),
        ('"width":2147483647,"heads":1', "more elements than fit in memory", 2), ('"width":1000000,"heads":1', "parameters", 1), ('"heads":0', "heads", 2),
        ('"feed_forward":-3', "feed_forward is -3", 2), ('"dropout":1e300', "dropout", 2),
        ('"positions":"sideways"', "positions is \"sideways\", expected one of", 2),
        ('"rotary_base":0,"positions":"rotary"', "rotary_base is 0", 2), ('"layers":1,"layers":2', "given twice", 2)):
    case(f"a network with {setting}", status, words, "train", "r.json", "--data", "t.txt",
         r_json='{"network":{"network":"gpt",' + setting + "}}", t_txt="to be or not to be " * 40)
case("a recipe that is not UTF-8", 2, "byte 12 is not UTF-8", "train", "r.json", r_json=b'{"network":"\xff"}')
case("a recipe with a zero byte", 2, "byte 2 is zero", "train", "r.json", r_json=b"{}\0{}")

# ---- models --------------------------------------------------------------------------------------------


def model(text, *tensors):
    return safetensors({"limpid.model": text}, tensors)


for text, words in (
        ('{"schema":1e300}', "schema is 1e+300"), ('{"schema":"1"}', 'schema is "1"'), ("{}", 'has no "schema"'),
        ('{"schema":1,"network":[]}', "network"), ('{"schema":1,"network":{"network":"gpt"},"title":7}', "title is 7"),
        ('{"schema":1,"network":{"network":"gpt","vocabulary":2,"layers":1000000000}}', "1000000000 layers"),
        ('{"schema":1,"network":{"network":"gpt","vocabulary":1e300}}', "vocabulary is 1e+300"),
        ('{"schema":1,"network":{"network":"gpt","vocabulary":2,"layers":1}}', "is missing"),
        ('{"schema":1,"network":{"network":"gpt","vocabulary":2},"tokenizer":{"kind":"bpe","split":"gpt2","merges":'
         + json.dumps([[97, 97]] + [[256 + i, 256 + i] for i in range(60)]) + "}}", "bytes, expected at most"),
        ('{"schema":1,"network":{"network":"gpt","vocabulary":2},"tokenizer":{"kind":"bpe","split":"gpt2","merges":[[1,1e9]]}}',
         "expected a whole number"),
        ('{"schema":1,"network":{"network":"gpt","vocabulary":2},"tokenizer":{"kind":"words","words":["a","a"]}}', "repeats"),
        ('{"schema":1,"schema":1}', "given twice")):
    case(f"a model that says {text[:60]}", 1, words, "trace", "a", "--model", "x.safetensors",
         x_safetensors=model(text, ("t", (1,))))
for config, words in (('{"n_layer":1e300}', "n_layer is 1e+300"), ('{"n_layer":1,"n_head":0}', "n_head is 0"),
                      ('{"n_layer":1000000000,"n_head":1,"n_embd":2,"vocab_size":2,"block_size":2}', "is missing"),
                      ('{"n_layer":1,"n_head":1,"n_embd":9223372036854775807}', "n_embd is 9223372036854775807")):
    case(f"a foreign model that says {config[:50]}", 1, words, "trace", "--tokens", "0", "--model", "x.safetensors",
         x_safetensors=safetensors({"config": config}, MINGPT))

# ---- arrays --------------------------------------------------------------------------------------------

for name, content, words in (
        ("an empty file", b"", "is empty"), ("a header longer than the file", struct.pack("<Q", 1000) + b"{}", "invalid header length"),
        ("a header of 2^63 bytes", struct.pack("<Q", 1 << 63) + b"{}", "header too large"),
        ("a shape that overflows", safetensors(header='{"t":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}}'), "overflows"),
        ("a size beyond 64 bits", safetensors(header='{"t":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}}'), "expected whole numbers"),
        ("a shape of nine axes", safetensors(header='{"t":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}'), "more than 8 axes"),
        ("a million axes", safetensors(header='{"t":{"dtype":"F32","shape":[' + "1," * 999_999 + '1],"data_offsets":[0,4]}}'), "more than 8 axes"),
        ("offsets backwards", safetensors(header='{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}'), "end before they begin"),
        ("a tensor named twice", safetensors(header='{"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), "given twice"),
        ("a name of a megabyte", safetensors(header='{"' + "n" * 1_000_000 + '":{"dtype":"F32"}}'), "has no shape"),
        ("a type of a megabyte", safetensors(header='{"t":{"dtype":"' + "F" * 1_000_000 + '"}}'), "has no shape")):
    case("safetensors: " + name, 1, words, "trace", "x", "--model", "x.safetensors", x_safetensors=content)

for name, content, words in (
        ("a shape that overflows", array("(1099511627776, 1099511627776)"), "overflows"),
        ("a size beyond 64 bits", array("(99999999999999999999,)"), "overflows"),
        ("a petabyte that is not there", array("(281474976710656,)"), "bytes of data"),
        ("a negative size", array("(-1,)"), "expected a size"), ("objects", array("(1,)", descr="|O"), "not supported"),
        ("brackets in brackets", npy("{'shape': " + "(" * 60_000), "expected a size"),
        ("a header longer than the file", npy("{}", version=2, length=4_000_000_000), "only 2 follow"),
        ("an escape sequence in its type", array("(1,)", descr="\x1b[2J"), "U+001B"),
        ("a field twice", npy("{'shape': (), 'shape': ()}"), "given twice"), ("nothing", b"", "is empty")):
    case("npy: " + name, 1, words, "trace", "--vectors", "x.npy", x_npy=content)

# src/files/gguf/hostile_test.cpp has fifty more, of the reader itself.
for name, content, words in (
        ("2^64 - 1 tensors", b"GGUF" + struct.pack("<IQQ", 3, (1 << 64) - 1, 0), "at most 262144"),
        ("16,000 keys that are not there", b"GGUF" + struct.pack("<IQQ", 3, 0, 16_000), "cut short"),
        ("an array of 2^60 strings", b"GGUF" + struct.pack("<IQQQsIIQ", 3, 0, 1, 1, b"a", 9, 8, 1 << 60) + bytes(64), "values of type string"),
        ("a tensor of a petabyte", b"GGUF" + struct.pack("<IQQQsIQIQ", 3, 1, 0, 1, b"w", 1, 1 << 50, 0, 0) + bytes(64), "cut short"),
        ("a key of escapes", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 4) + b"\x1b[2J" + struct.pack("<I", 99), "value of type 99"),
        ("version 1", b"GGUF" + struct.pack("<III", 1, 0, 0), "version 1"),
        ("a big-endian file", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian")):
    case("gguf: " + name, 1, words, "info", "x.gguf", x_gguf=content)

GOOD = array("(1,)", bytes(4))
for name, content, words in (
        ("a bomb", bomb(300), "unpacks to more than"), ("no archive", b"PK\3\4 no", "zip archive"), ("empty", b"", "empty"),
        ("two of a name", archive([stored("x.npy", GOOD), stored("x.npy", GOOD)]), "two arrays of one name"),
        ("something else inside", archive([stored("../../etc/passwd", b"x")]), "without NumPy arrays"),
        ("a size that is a lie", archive([("x.npy", GOOD, 0xFFFFFFF0, zlib.crc32(GOOD), 0)]), "x.npz"),
        ("a wrong sum", archive([("x.npy", GOOD, len(GOOD), 7, 0)]), "x.npz"),
        ("cut short", archive([stored("x.npy", GOOD)])[:-30], "not a .npz")):
    case("npz: " + name, 1, words, "trace", "--vectors", "x.npz", x_npz=content)

for name, content, words in (
        ("one line of two million fields", "," * 2_000_000, "more than 1000000 fields"),
        ("an endless field", '"' + "a" * 3_000_000, "never closed"), ("ragged rows", "1,2\n3\n", "line 2 has 1 field"),
        ("words for numbers", "a,b\n1,x\n", "'x' is not a number"), ("zero bytes", b"1,2\n\0,3\n", "is not a number"),
        ("nothing", "", "empty")):
    case("csv: " + name, 1, words, "trace", "--vectors", "x.csv", x_csv=content)
case("csv: vectors wider than any memory", 1, "memory", "trace", "--vectors", "x.csv", x_csv="1," * 999_999 + "1")

# ---- traces --------------------------------------------------------------------------------------------


def with_trace(name, words, change):
    CASES.append(("trace: " + name, 1, [words] if isinstance(words, str) else words, None, change))


def stage(trace, name):
    return next(s for s in trace["graph"]["stages"] if s["name"] == name)


def option(name, value, of="blocks.0.attn.scores"):
    return lambda trace: stage(trace, of).setdefault("options", {}).__setitem__(name, value)


with_trace("the least window there is", "options.window is -9223372036854775808", option("window", -(1 << 63)))
with_trace("the least first query", "options.first_query is", option("first_query", -(1 << 63)))
with_trace("an option of 1e300", "option 'window' must be a whole number", option("window", 1e300))
with_trace("an axis that is no letter", "one letter", option("axis", "", "blocks.0.attn.pattern"))
with_trace("no heads at all", "heads", lambda t: stage(t, "blocks.0.attn.z").update(operation="split_heads", options={"heads": 0}))
with_trace("a stage that reads itself", "no stage is called", lambda t: stage(t, "blocks.0.attn.q").update(inputs=["blocks.0.attn.q", "blocks.0.attn.W_Q"]))
with_trace("a stage that reads a later one", "no stage is called", lambda t: t["graph"]["stages"].reverse())
with_trace("a size of -5", "expected a whole number from -1", lambda t: t["graph"]["inputs"][0]["axes"][0].__setitem__(1, -5))
with_trace("a parameter of 2^62 numbers", "", lambda t: t["graph"]["parameters"][0].update(axes=[["V", 2147483647], ["C", 2147483647], ["D", 2147483647]]))
with_trace("nine axes", "at most 8", lambda t: t["graph"]["inputs"][0].update(axes=[["B", 1]] * 9))
with_trace("a million stages", "at most 65536", lambda t: t["graph"].update(stages=[{}] * 1_000_000))
with_trace("a group that is not there", "group is 1000000000", lambda t: stage(t, "blocks.0.attn.q").update(group=1_000_000_000))
with_trace("two names swapped", "expected", lambda t: swap(t["graph"], "blocks.0.attn.q", "blocks.0.attn.pattern"))
with_trace("a name of 100,000 letters", "no stage is called", lambda t: stage(t, "blocks.0.attn.q")["inputs"].__setitem__(0, "n" * 100_000))
with_trace("a token past the text", "covers the bytes", lambda t: t["tokens"][0].update(end=1 << 62))
with_trace("a metric of no number", "metrics.loss", lambda t: t["metrics"].update(loss="1e300000"))
with_trace("a schema of 1e300", "schema is 1e+300", lambda t: t.update(schema=1e300))
with_trace("a count below nothing", "count is -1", lambda t: t.update(summaries={"embed": {"axes": [], "count": -1, "non_finite": 0, "mean": 0, "spread": 0, "least": 0, "most": 0}}))
with_trace("an operation that is not known", "teleport", lambda t: stage(t, "embed").update(operation="teleport"))


def swap(value, a, b):
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, (dict, list)):
            swap(item, a, b)
        elif item in (a, b):
            value[key] = b if item == a else a


# ---- what is asked for on the command line ---------------------------------------------------------------

for arguments, words in (
        (("--observe", "blocks.0.attn.pattern:map:1000000000000"), "map:1000000000000"),
        (("--observe", "blocks.0.attn.pattern:top:99999999999999999999999"), "expected 1 to 64"),
        (("--observe", "n" * 100_000), "n" * 20), (("--observe", "embed:top:0"), "depth"),
        (("--edit", "blocks.0.attn.z=scale:1e999"), "finite"), (("--edit", "blocks.0.attn.z=scale:nan"), "finite"),
        (("--edit", "blocks.0.attn.pattern=cut:99999999999999999999>0"), "99999999999999999999"),
        (("--edit", "blocks.0.attn.z[H=99999999999999999999]=zero"), "99999999999999999999"),
        (("--edit", "]=["), "edit"), (("--edit", "[[[[=zero"), "edit")):
    case(f"trace {' '.join(arguments)[:60]}", 2, words, "trace", "a b", *arguments)
case("token ids beyond 64 bits", 2, "not a token id", "trace", "--tokens", "99999999999999999999")
case("a width of two thousand million", 1, "memory", "trace", "a b", "--network", "textbook", "--width", "2000000000")


# ---- running them -----------------------------------------------------------------------------------------

def limited():
    if not SANITIZED:  # whose shadow takes all addresses there are
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(folder, arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, cwd=folder, stdin=subprocess.DEVNULL, timeout=120,
                          preexec_fn=limited, env=dict(os.environ, OMP_NUM_THREADS="2", OMP_WAIT_POLICY="passive"))


def wrong_with(done, status, words):
    """What is not as it should be, or nothing."""
    line = done.stderr.decode(errors="surrogateescape")
    shown = line.strip()[:600]
    if done.returncode != status:
        return f"exit status {done.returncode}, expected {status}: {shown}"
    if not line.startswith("limpid: ") or line.count("\n") != 1 or not line.endswith("\n"):
        return f"not one line: {shown!r}"
    if len(line) > 5000 or any(ord(c) < 32 for c in line[:-1]):
        return f"not a clear line ({len(line)} characters): {line[:300]!r}"
    missing = [word for word in words if word not in line]
    return f"{missing} is not in: {shown}" if missing else ""


def trace_cases(folder):
    """A good trace, and of each change the file that it makes."""
    done = run(folder, ["trace", "a b a", "--network", "textbook", "--heads", "2", "--mask", "causal", "--params", "-o", "good.safetensors"])
    assert done.returncode == 0, done.stderr
    with open(os.path.join(folder, "good.safetensors"), "rb") as file:
        content = file.read()
    size, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + size])
    for name, status, words, _, change in [c for c in CASES if c[3] is None]:
        changed = json.loads(json.dumps(header))
        trace = json.loads(changed["__metadata__"]["limpid"])
        change(trace)
        changed["__metadata__"]["limpid"] = json.dumps(trace)
        text = json.dumps(changed).encode()
        yield name, status, words, ("trace", "x.safetensors"), {"x_safetensors": struct.pack("<Q", len(text)) + text + content[8 + size:]}


def main():
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="limpid_hostile_") as folder:
        for name, status, words, arguments, files in [c for c in CASES if c[3] is not None] + list(trace_cases(folder)):
            for key, content in files.items():
                with open(os.path.join(folder, key.replace("_", ".")), "wb") as file:
                    file.write(content if isinstance(content, bytes) else content.encode())
            try:
                wrong = wrong_with(run(folder, arguments), status, words)
            except subprocess.TimeoutExpired:
                wrong = "still running after 120 s"
            if wrong:
                print(f"FAIL  {name}: {wrong}")
            failed, passed = failed + bool(wrong), passed + (not wrong)
        # A stranger's metadata is no error: it is shown as the text it is.
        with open(os.path.join(folder, "x.safetensors"), "wb") as file:
            file.write(safetensors({"notes": deep()}))
        for more in ((), ("--json",)):
            done = run(folder, ("info", "x.safetensors", *more))
            good = done.returncode == 0 and not done.stderr and b"[[[[" in done.stdout
            failed, passed = failed + (not good), passed + good
            if not good:
                print(f"FAIL  a stranger's metadata nested deep {more}: {done.returncode} {done.stderr[:300]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def write_models(folder):
    """The cases that read a model, as files and a list of them: web/tests/models.test.mjs gives them to the page."""
    told = []
    for name, _, words, arguments, files in CASES:
        if arguments and "--model" in arguments and len(files) == 1:
            place = os.path.join(folder, f"{len(told)}")
            (_, content), = files.items()
            with open(place, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
            told.append({"name": name, "file": place, "called": arguments[arguments.index("--model") + 1], "words": words})
    print(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[2] == "--write-models":
        write_models(sys.argv[3])
        sys.exit(0)
    sys.exit(main())
