"""Checkpoints that torch.save never wrote, for tests/hostile_test.py: each is refused in one line."""
import io
import pickle
import struct
import zipfile
import zlib

REFUSED = "limpid runs nothing from a file"


# ---- pickles by hand: each piece pushes one value ----------------------------------------------------------

def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def name(module, function):
    return f"c{module}\n{function}\n".encode()


def row(*parts):
    return b"(" + b"".join(parts) + b"t"


def call(module, function, *arguments):
    return name(module, function) + row(*arguments) + b"R"


def storage(count, key="0", kind="FloatStorage"):
    return row(text("storage"), name("torch", kind), text(key), text("cpu"), integer(count)) + b"Q"


def tensor(of, offset=0, shape=(6,), strides=(1,)):
    return call("torch._utils", "_rebuild_tensor_v2", of, integer(offset), row(*map(integer, shape)), row(*map(integer, strides)), b"\x89", b"}")


def whole(value):
    return b"\x80\x02" + value + b"."


SIX = struct.pack("<6f", *range(6))
GOOD = tensor(storage(6))


def checkpoint(value, content=SIX, packed=False, order=b"little", **more):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", whole(value))
        file.writestr("archive/byteorder", order)
        file.writestr("archive/data/0", content)
        for entry, data in more.items():
            file.writestr("archive/" + entry.replace("_", "."), data)
    return out.getvalue()


def old(value, keys=(b"0",), storages=((6, SIX),), little=True, magic=b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", version=1001):
    listed = keys if isinstance(keys, bytes) else b"](" + b"".join(map(text, keys)) + b"e"
    return (whole(b"\x8a\x0a" + magic) + whole(integer(version)) + whole(b"}(" + text("little_endian") + (b"\x88" if little else b"\x89") + b"u") +
            whole(value) + whole(listed) + b"".join(struct.pack("<q", count) + data for count, data in storages))


def entry_bomb(entry, content, megabytes):
    """A zip in which one entry is the content and so many MiB of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed, crc, size = packer.compress(content), zlib.crc32(content), len(content) + (megabytes << 20)
    for _ in range(megabytes):
        packed += packer.compress(bytes(1 << 20))
        crc = zlib.crc32(bytes(1 << 20), crc)
    return "archive/" + entry, packed + packer.flush(), size, crc, 8


# ---- the table ---------------------------------------------------------------------------------------------

def cases(archive, stored):
    """(name, status, words, arguments, files); the functions are hostile_test's that make zips."""
    made = []

    def case(title, words, content):
        made.append(("torch: " + title, 1, [words] if isinstance(words, str) else words, ("info", "x.pt", "*"), {"x_pt": content}))

    popen = "subprocess.Popen"
    for title, asked, value in (
            ("os.system", "os.system", call("os", "system", text("touch exploded"))),
            ("a function that is not even called", "posix.system", name("posix", "system") + b"0N"),
            ("eval by names from the stack", "builtins.eval", text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85R"),
            ("INST", "os.system", b"(" + text("true") + b"ios\nsystem\n"),
            ("OBJ", "a new object", b"(" + name("collections", "OrderedDict") + b"o"),
            ("NEWOBJ", popen, name("subprocess", "Popen") + b")\x81"),
            ("NEWOBJ_EX", "a new object", name("collections", "OrderedDict") + b")}\x92"),
            ("storages within the pickle", "torch.storage._load_from_bytes", call("torch.storage", "_load_from_bytes", text("x"))),
            ("the hub", "torch.hub.load", name("torch.hub", "load")),
            ("a namespace", "argparse.Namespace", name("argparse", "Namespace") + b")\x81}b"),
            ("a NumPy number", "numpy.core.multiarray.scalar", name("numpy.core.multiarray", "scalar")),
            ("getattr", "builtins.getattr", name("builtins", "getattr")),
            ("a whole module", "torch.nn.modules.linear.Linear", name("torch.nn.modules.linear", "Linear")),
            ("an extension", "extension registry", b"\x82\1"),
            ("PERSID", "an object of another program", b"P1\n"),
            ("a buffer elsewhere", "a buffer outside", b"\x97"),
            ("attributes of a tensor", "attributes of a tensor", GOOD + b"}b"),
            ("a saved module", 'a saved "module"', row(text("module"), b"N", text("file.py"), text("import os")) + b"Q"),
            ("another codec", 'the encoding "zlib"', call("_codecs", "encode", text("x"), text("zlib"))),
            ("names with control characters", "s.ystem", name("s", "ystem\x1b[2J"))):
        case(title, [asked, REFUSED], checkpoint(value))
    case("os.system in the old form", ["os.system", REFUSED], old(call("os", "system", text("true"))))

    for title, words, value in (
            ("nothing on the stack", "more from its stack", b""),
            ("more tuples than values", "more from its stack", b"N\x87"),
            ("no mark", "a mark on its stack", b"Nt"),
            ("an empty memo", "never remembered", b"h\0"),
            ("added to None", "what is added to is None", b"NNa"),
            ("a key without a value", "a key without a value", b"}(NNNu"),
            ("no opcode", "is no opcode", b"\xfe"),
            ("a text longer than the file", "ends here", b"\x8e" + b"\xff" * 8),
            ("an integer longer than the file", "ends here", b"\x8b\xff\xff\xff\xff"),
            ("a line without an end", "does not end", b"I" + b"1" * 100_000),
            ("protocol 200", "protocol 200", b"\x80\xc8N"),
            ("a list in itself", "holds itself", b"]q\0h\0a"),
            ("a dict in itself", "holds itself", b"}q\0" + text("a") + b"h\0s"),
            ("a million lists in lists", "nested more than 60", b"]" * 1_000_000 + b"a" * 999_999),
            ("a list of a thousand times the same list of thousands", "counted wherever it stands", b"](" + b"N" * 5000 + b"eq\1" + b"0](" + b"h\1" * 1000 + b"e"),
            ("doubled fifty times", "when written out", b"]q\0" + b"".join(b"](h%ch%ceq%c" % (i - 1, i - 1, i) for i in range(1, 50))),
            ("a text a thousand times", "bytes when written out", text("x" * 1_000_000) + b"q\1" + b"0](" + b"h\1" * 1000 + b"e"),
            ("five million values", "values", b"N" * 5_000_000),
            ("five million marks", "marks", b"(" * 5_000_000),
            ("five million times the same", "on its stack", b"N" + b"2" * 5_000_000),
            ("a set of a list, again and again", "made of lists", b"](" + b"N" * 60_000 + b"eq\1" + (name("__builtin__", "set") + b"h\1\x85R0") * 1000),
            ("a key that is a list", "a key is a list", b"}(]Nu"),
            ("two keys of one name", "two keys are written", b"}(" + text("1") + b"NK\1Nu"),
            ("two tensors of one name", "two tensors", b"}(" + text("a/b") + GOOD + text("a") + b"}(" + text("b") + GOOD + b"uu")):
        case(title, words, checkpoint(value))

    for title, words, of in (
            ("a storage shorter than it says", "needs 400 bytes of storage '0', which has 24", tensor(storage(100), 0, (100,))),
            ("a tensor longer than its storage", "reaches beyond", tensor(storage(6), 0, (7,))),
            ("a tensor that starts beyond", "reaches beyond", tensor(storage(6), 6, (), ())),
            ("a negative offset", "offset is -1", tensor(storage(6), -1, (1,))),
            ("a negative stride", "strides is -1", tensor(storage(6), 5, (6,), (-1,))),
            ("a negative size", "shape is -6", tensor(storage(6), 0, (-6,))),
            ("a negative storage", "length is -6", tensor(storage(-6))),
            ("a stride beyond 64 bits", "more than any memory", tensor(storage(6), 0, (3,), (2**62,))),
            ("sizes beyond 64 bits", "more than any memory", tensor(storage(6), 0, (2**40, 2**40), (0, 0))),
            ("a number shown a trillion times", "so often", tensor(storage(6), 0, (2**40,), (0,))),
            ("strides for other axes", "2 axes has 1 strides", tensor(storage(6), 0, (2, 3))),
            ("nine axes", "9 axes", tensor(storage(6), 0, (1,) * 9, (1,) * 9)),
            ("a storage that is not there", "no entry", tensor(storage(6, "1"))),
            ("a storage outside the folder", "no entry", tensor(storage(6, "../../etc/passwd"))),
            ("a key with a zero byte", "no entry", tensor(storage(6, "0\0"))),
            ("a storage that is a function", "expected one such as torch.FloatStorage", tensor(row(text("storage"), name("collections", "OrderedDict"), text("0"), text("cpu"), integer(6)) + b"Q")),
            ("a tensor of no storage", "a tensor's storage is None", tensor(b"N")),
            ("a call without arguments", "called with 0 arguments", name("torch._utils", "_rebuild_tensor_v2") + b")R")):
        case(title, words, checkpoint(of))

    good = checkpoint(GOOD)
    case("the other byte order", 'byte order "big"', checkpoint(GOOD, order=b"big"))
    case("TorchScript", "TorchScript", checkpoint(GOOD, constants_pkl=whole(b")")))
    case("two pickles", "two entries", archive([stored("a/data.pkl", whole(b"N")), stored("b/data.pkl", whole(b"N"))]))
    case("one name twice", "two entries of one name", archive([stored("a/data.pkl", whole(b"N"))] * 2))
    case("an archive cut short", "cut short", good[:len(good) - 30])
    case("numbers changed", "CRC", good.replace(SIX, SIX[:-1] + b"\1"))
    case("a packing of another kind", ["x.pt"], archive([("a/data.pkl", whole(b"N"), len(whole(b"N")), zlib.crc32(whole(b"N")), 99)]))
    case("a stored entry that says more", ["x.pt"], archive([("a/data.pkl", whole(b"N"), 1 << 31, zlib.crc32(whole(b"N")), 0)]))
    case("a pickle that unpacks to 600 MiB", "made to fill the memory", archive([entry_bomb("data.pkl", whole(b"N"), 600)]))
    case("a storage that unpacks to 600 MiB", "made to fill the memory", archive([stored("archive/data.pkl", whole(tensor(storage(150 << 20), 0, (150 << 20,)))), entry_bomb("data/0", SIX, 600)]))
    case("an entry that claims to unpack to 1 GiB", "made to fill the memory", archive([("archive/data.pkl", zlib.compress(whole(b"N"))[2:-4], 1 << 30, 0, 8)]))

    case("old, another number first", "a Python pickle", old(GOOD, magic=b"\1" * 10))
    case("old, another version", "version 7", old(GOOD, version=7))
    case("old, the other byte order", "big-endian", old(GOOD, little=False))
    case("old, cut within the pickle", "cut short", old(GOOD)[:160])
    case("old, cut within the numbers", "bytes are left", old(GOOD)[:-3])
    case("old, a storage of 2^62 numbers", "bytes are left", old(GOOD, storages=((2**62, SIX),)))
    case("old, a storage of -1 numbers", "bytes are left", old(GOOD, storages=((-1, SIX),)))
    case("old, keys that are no list", "expected a list", old(GOOD, keys=b"N"))
    case("old, a storage of no tensor", "no tensor is of the storage", old(GOOD, keys=(b"7",)))
    case("old, a storage twice", "twice", old(GOOD, keys=(b"0", b"0"), storages=((6, SIX),) * 2))
    case("old, no storage", "does not hold the storage", old(GOOD, keys=(), storages=()))
    case("a plain pickle", ["a Python pickle", REFUSED], pickle.dumps({"a": 1}))
    return made
