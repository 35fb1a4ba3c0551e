"""What the tests of the command share: calls in a pipe and in a terminal, a folder for their files, models to use.

PROGRAM is the first argument of the script that imports this.
"""
import array
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata
import unittest

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/dev/limpid")
SANITIZED = b"__asan_init" in open(PROGRAM, "rb").read()
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = tempfile.TemporaryDirectory(prefix="limpid_cli_")
WALK = ["--network", "textbook", "--seed", "7"]
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def path(name):
    return os.path.join(WORK.name, name)


def write(name, content):
    with open(path(name), "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path(name)


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def clean_environment(**more):
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "COLORTERM", "LIMPID_ISA")}
    return dict(environment, TERM="xterm-256color", **more)


def limpid(*arguments, stdin=None, **environment):
    """The finished call; output as text, whatever bytes it holds."""
    given = {"input": stdin if isinstance(stdin, bytes) else stdin.encode()} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, cwd=WORK.name, timeout=300,
                          env=clean_environment(**environment), **given)
    done.stdout = done.stdout.decode(errors="surrogateescape")
    done.stderr = done.stderr.decode(errors="surrogateescape")
    return done


def in_terminal(*arguments, columns=80, **environment):
    """What the call writes to a terminal of that width."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen([PROGRAM, *arguments], stdin=secondary, stdout=secondary, stderr=secondary, cwd=WORK.name,
                             env=clean_environment(**environment), close_fds=True)
    os.close(secondary)
    chunks = []
    try:
        while chunk := os.read(primary, 65536):
            chunks.append(chunk)
    except OSError:  # the other side is closed
        pass
    os.close(primary)
    return child.wait(), b"".join(chunks).decode().replace("\r\n", "\n")


def width(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


TEXT = "".join(f"{who} {does} {what} and {when} it is short.\n" for who in ("Life", "Art", "The day", "A word")
               for does in ("knows", "gives", "takes") for what in ("much", "little", "all") for when in ("then", "now"))
GPT = {"title": "a model of the tests", "network": {"network": "gpt", "layers": 2, "heads": 2, "width": 24, "context": 16,
       "positions": "rotary", "dropout": 0.1}, "tokenizer": "bpe", "vocabulary": 300, "data": ["text.txt"],
       "steps": 240, "batch": 4, "context": 16, "epoch": 20, "learning_rate": 1e-2, "warm_up": 10}


def recipe(name, **changes):
    return write(name, json.dumps(dict(GPT, **changes)))


class Case(unittest.TestCase):
    maxDiff = 2000

    def assertIn(self, part, whole):
        self.assertTrue(part in whole, f"{part!r} is not in {str(whole)[:500]!r}")

    def ok(self, *arguments, **more):
        done = limpid(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def refused(self, status, expected, *arguments, **more):
        """Fails with this status and one line that holds the expected words."""
        done = limpid(*arguments, **more)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertTrue(done.stderr.startswith("limpid: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for words in [expected] if isinstance(expected, str) else expected:
            self.assertIn(words, done.stderr)
        return done


# Of arrays in answers of the explorer, as the array module calls them.
TYPES = {"f64": "d", "f32": "f", "i64": "q", "i32": "i", "u8": "B"}


def read_answer(body):
    """The fields and arrays of an answer, by docs/explore-protocol.md."""
    length = struct.unpack_from("<Q", body)[0]
    fields = json.loads(body[8:8 + length])
    arrays = {}
    for name, entry in fields.pop("arrays").items():
        numbers, count = array.array(TYPES[entry["dtype"]]), 1
        for size in entry["shape"]:
            count *= size
        at = 8 + length + entry["offset"]
        numbers.frombytes(body[at:at + count * numbers.itemsize])
        arrays[name] = list(numbers)
    return fields, arrays


def page_elements(page):
    """The script elements of a page that is one file, by their id, as bytes."""
    return dict(re.findall(rb'<script type="[\w/-]+" id="([\w-]+)"[^>]*>(.*?)</script>', page, re.DOTALL))


def page_payload(page, name):
    """The bytes that an element holds: apps/limpid/payload.h says how they stand in the page."""
    block, text = re.search(rb'id="' + name.encode() + rb'" data-block="(\d+)">(.*?)</script>', page, re.DOTALL).groups()
    size = int(block) + 1
    return b"".join(bytes((byte - text[i]) & 255 for byte in text[i + 1:i + size]) for i in range(0, len(text), size))


def run_cases(module):
    """Runs the module's cases, or those whose names hold one of the further arguments; the exit status."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    names = sys.argv[2:]
    if names:
        suite = unittest.TestSuite(t for group in suite for t in group if any(n in t.id() for n in names))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    bad, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    print(f"{result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    return 1 if bad else 0
