#!/usr/bin/env python3
"""limpid explore --html: one file with the page, the engine and a model inside.

  tests/cli_explore_html_test.py build/dev/limpid

What it does in a browser is tested by web/tests/single.test.mjs.
"""
import gzip

from cli_helpers import *

DIST = os.path.join(SOURCE, "web", "dist")


def explore(*arguments):
    return subprocess.run([PROGRAM, "explore", *arguments], capture_output=True, cwd=WORK.name, stdin=subprocess.DEVNULL,
                          env=clean_environment(), timeout=300)


class Html(unittest.TestCase):
    def test_it_holds_the_page_the_engine_the_model_and_the_text(self):
        done = explore("Was ist „das“? </script><!--", "--edit", "blocks.0.attn.z[H=2]=zero", "--html", "a.html")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        page = read("a.html")
        self.assertLess(len(page), 6_000_000)
        found = page_elements(page)
        self.assertEqual(set(found), {b"limpid-run", b"limpid-packed-style", b"limpid-worker", b"limpid-packed-page", b"limpid-first-view", b"limpid-wasm", b"limpid-model-0"})
        for name in (b"limpid-wasm", b"limpid-model-0"):
            self.assertNotIn(b"\r", found[name])
            self.assertNotRegex(found[name], rb"</|<!")
        with open(os.path.join(DIST, "limpid.wasm.lzma"), "rb") as file:
            self.assertEqual(page_payload(page, "limpid-wasm"), file.read())
        with open(os.path.join(SOURCE, "src", "model", "builtin.safetensors"), "rb") as file:
            self.assertEqual(gzip.decompress(page_payload(page, "limpid-model-0")), file.read())
        run = json.loads(found[b"limpid-run"])
        self.assertEqual(run["text"], "Was ist „das“? </script><!--")
        self.assertEqual(run["edits"], ["blocks.0.attn.z[H=2]=zero"])
        self.assertEqual(run["models"], [{"name": "built-in", "builtin": True, "files": [{"path": "", "element": "limpid-model-0"}]}])
        rest = re.sub(rb'<script type="application/octet-stream".*?</script>', b"", page, flags=re.DOTALL)
        self.assertTrue(all(byte < 128 for byte in rest))
        self.assertEqual(set(re.findall(rb"https?://[\w.]+", rest)) - {b"http://www.w3.org"}, set())
        self.assertIn(b"default-src 'none'", rest)

    def test_the_same_call_writes_the_same_bytes(self):
        explore("Life is short", "--html", "b.html")
        explore("Life is short", "--html", "c.html")
        self.assertEqual(read("b.html"), read("c.html"))

    def test_a_model_of_the_calls_own(self):
        subprocess.run([PROGRAM, "export", "-o", "hub"], cwd=WORK.name, check=True, capture_output=True, env=clean_environment())
        self.assertEqual(explore("Life is short", "--model", "hub", "--html", "hub.html").returncode, 0)
        found = page_elements(read("hub.html"))
        (model,) = json.loads(found[b"limpid-run"])["models"]
        self.assertEqual((model["name"], model["builtin"]), ("hub", False))
        self.assertLessEqual({"config.json", "model.safetensors", "tokenizer.json"}, {file["path"] for file in model["files"]})
        for file in model["files"]:
            with open(path(os.path.join("hub", file["path"])), "rb") as own:
                self.assertEqual(gzip.decompress(page_payload(read("hub.html"), file["element"])), own.read())

    def test_a_training_run_goes_along(self):
        os.makedirs(path("run"), exist_ok=True)
        log = b'{"step":1,"loss":2.5}\n{"step":2,"loss":2.0}\n'
        write("run/log.jsonl", log)
        own = os.path.join(SOURCE, "src", "model", "builtin.safetensors")
        done = explore("a", "--run", "run", "--model", own, "--html", "run.html")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(json.loads(page_elements(read("run.html"))[b"limpid-run"])["training"], {"title": "run", "log": log.decode()})

    def test_calls_are_repaired_and_leave_no_file(self):
        for arguments, words in ((("--edit", "blocks.0.attn.z=purple"), "purple"), (("--tokens", "1,2"), "leave --tokens"),
                                 (("a", "--tokenizer", "bytes"), "--tokenizer"), (("a", "--model", "none.gguf"), "none.gguf")):
            done = explore(*arguments, "--html", "no.html")
            self.assertIn(done.returncode, (1, 2), arguments)
            self.assertIn(words, done.stderr.decode(), arguments)
            self.assertFalse(os.path.exists(path("no.html")), arguments)
        done = explore("a", "--html", "nowhere/a.html")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no folder nowhere", done.stderr.decode())

    def test_a_large_model_is_dropped_instead(self):
        size = 101 << 20
        header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
        with open(path("big.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            file.truncate(8 + len(header) + size)
        done = explore("a", "--model", "big.safetensors", "--html", "big.html")
        self.assertEqual(done.returncode, 2)
        self.assertIn("a page carries a model of at most 104857600", done.stderr.decode())
        self.assertFalse(os.path.exists(path("big.html")))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
