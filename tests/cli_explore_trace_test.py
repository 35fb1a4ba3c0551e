#!/usr/bin/env python3
"""limpid explore of a stored trace, and of the textbook's network: what the page is told is what the file holds.

  tests/cli_explore_trace_test.py build/dev/limpid
"""
import array
import gzip
import http.client
import signal
import urllib.parse

from cli_helpers import *

BUILTIN = os.path.join(SOURCE, "src", "model", "builtin.safetensors")
EDIT = "blocks.0.attn.z[H=2]=zero"


class Served:
    """A running `limpid explore`."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "explore", "--no-open", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, cwd=WORK.name, env=clean_environment())
        line = self.process.stdout.readline().decode().strip()
        if not line.startswith("limpid explore: "):
            raise AssertionError(line + self.process.stderr.read().decode())
        self.address = urllib.parse.urlparse(line.removeprefix("limpid explore: "))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)
        self.said = self.process.stdout.read().decode()
        error = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert error == b"", error

    def ask(self, **request):
        connection = http.client.HTTPConnection(self.address.netloc, timeout=120)
        connection.request("POST", self.address.path + "ask", json.dumps(request), {"Content-Type": "application/json"})
        body = connection.getresponse().read()
        connection.close()
        return read_answer(body)


def flat(value):
    return [n for part in value for n in flat(part)] if isinstance(value, list) else [value]


def numbers_of(value):
    """Of a value of a trace as JSON, in its own type."""
    return list(array.array(TYPES[value["dtype"]], map(float if value["dtype"] != "i64" else int, flat(value["data"]))))


class StoredTrace(Case):
    @classmethod
    def setUpClass(cls):
        for name, options in {"life.safetensors": [], "plain.npz": ["--plain", "--params"], "plain.safetensors": ["--plain", "--params"],
                              "edited.safetensors": ["--edit", EDIT],
                              "part.safetensors": ["--plain", "--observe", "blocks.0.attn.q", "--observe", "logits:summary"]}.items():
            done = limpid("trace", "Life is short", *options, "-o", path(name))
            assert done.returncode == 0, done.stderr

    def trace_of(self, name):
        return json.loads(self.ok("trace", path(name), "--json"))

    # ---- as it was stored ----------------------------------------------------------------------------------

    def test_what_is_told_is_what_the_file_holds(self):
        for name in ("plain.npz", "plain.safetensors"):
            trace = self.trace_of(name)
            with Served(name) as served:
                opened, arrays = served.ask(ask="tokens")
                self.assertEqual((opened["stored"], opened["text"], opened["changes"]), (name, "Life is short", []))
                self.assertEqual(opened["labels"], [token["label"] for token in trace["tokens"]])
                self.assertEqual(arrays["ids"], [token["id"] for token in trace["tokens"]])
                self.assertEqual(opened["model"]["hash"], trace["model_hash"])
                for value in ("embed", "blocks.0.attn.k", "blocks.4.attn.pattern", "blocks.2.mlp.post", "logits"):
                    numbers = served.ask(ask="window", name=value)[1]["numbers"]
                    self.assertEqual(numbers, numbers_of(trace["values"][value]), value)
                told, numbers = served.ask(ask="next", count=5)
                probs = numbers_of(trace["values"]["probs"])[-len(trace["vocabulary"]):]
                self.assertEqual(numbers["probabilities"], [probs[i] for i in numbers["ids"]])
                self.assertEqual(numbers["probabilities"][0], max(probs))
                for cell in ("blocks.0.attn.q[0,2,3,5]", "blocks.1.attn.pattern[0,0,2,1]", "probs[0,2,7]"):
                    (own,) = json.loads(self.ok("explain", cell, path(name), "--json"))
                    shown = served.ask(ask="explain", cell=cell)[0]["cells"][0]
                    self.assertEqual((shown["value"], shown["equation"], shown["combined"]),
                                     (own["value"], own["equation"], own["combined"]), cell)
            self.assertIn("is shown as it was stored: it was run by the reference arithmetic", served.said)

    def test_what_asks_the_network_is_refused_with_the_way_to_it(self):
        with Served("plain.safetensors") as served:
            asks = served.ask(ask="tokens")[0]["asks"]
            for question in ({"ask": "compare"}, {"ask": "lens"}, {"ask": "generate"}, {"ask": "attribution"}):
                self.assertNotIn(question["ask"], asks)
                self.assertIn("limpid explore plain.safetensors --model MODEL", served.ask(**question)[0]["error"]["message"])
            for change in ({"text": "a b"}, {"edits": [EDIT]}, {"swaps": [[0, 1]]}, {"tokens": [1, 2]}):
                said = served.ask(ask="open", **change)[0]["error"]
                self.assertEqual(said["kind"], "call")
                self.assertIn("--model MODEL", said["message"])
            opened = served.ask(ask="open", model="built-in", text="Life is long")[0]
            self.assertNotIn("stored", opened)
            self.assertIn("lens", opened["asks"])

    def test_what_is_not_there_is_said_and_not_made_up(self):
        with Served("part.safetensors") as served:
            held = {value["name"]: value["held"] for value in served.ask(ask="stages")[0]["values"]}
            self.assertEqual((held["blocks.0.attn.q"], held["logits"], held["blocks.0.attn.pattern"]), ("whole", "summary", "none"))
            for question, words in (({"ask": "next"}, "probs is not stored"), ({"ask": "maps"}, "no attention weights"),
                                    ({"ask": "window", "name": "blocks.0.attn.pattern"}, "--observe blocks.0.attn.pattern"),
                                    ({"ask": "window", "name": "logits"}, "its summary"),
                                    ({"ask": "explain", "cell": "blocks.0.attn.q[0,0,0,0]"}, "does not hold")):
                with self.subTest(question=question):
                    self.assertIn(words, served.ask(**question)[0]["error"]["message"])

    # ---- live ----------------------------------------------------------------------------------------------

    def test_a_run_whose_model_is_at_hand_is_live(self):
        trace = self.trace_of("edited.safetensors")
        for arguments in (["edited.safetensors"], ["edited.safetensors", "--model", BUILTIN, "--weights", "f32"]):
            with Served(*arguments) as served:
                opened = served.ask(ask="tokens")[0]
                self.assertNotIn("stored", opened)
                self.assertEqual((opened["text"], opened["edited"]), ("Life is short", [EDIT]))
                for value in ("blocks.0.attn.z", "logits"):
                    self.assertEqual(served.ask(ask="window", name=value)[1]["numbers"], numbers_of(trace["values"][value]), value)
                self.assertIn("text", opened["changes"])
                self.assertEqual(served.ask(ask="open", text="a b", edits=[])[0]["text"], "a b")
            self.assertIn("was run again, with the same numbers: it is live", served.said)
        with Served("life.safetensors", "--edit", EDIT) as served:
            self.assertEqual(served.ask(ask="tokens")[0]["edited"], [EDIT])

    # ---- one file ------------------------------------------------------------------------------------------

    def test_a_page_carries_the_trace_and_no_model(self):
        for name in ("life.safetensors", "plain.npz"):
            done = limpid("explore", name, "--html", "stored.html")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            found = page_elements(read("stored.html"))
            run = json.loads(found[b"limpid-run"])
            self.assertEqual((run["models"], run["text"], run["edits"]),
                             ([{"name": name, "builtin": False, "files": [{"path": "", "element": "limpid-model-0"}]}], "", []))
            carried = write("carried.safetensors", gzip.decompress(page_payload(read("stored.html"), "limpid-model-0")))
            self.assertEqual(self.ok("trace", carried, "--json"), self.ok("trace", path(name), "--json"))

    # ---- the textbook's network ----------------------------------------------------------------------------

    def test_the_textbooks_network_is_made_for_each_sentence(self):
        options = ["--network", "textbook", "--seed", "11", "--heads", "2", "--positions", "sinusoidal", "--mask", "causal", "--add-norm"]
        with Served("Life is short", *options) as served:
            for text in ("Life is short", "a b a"):
                self.assertEqual(served.ask(ask="open", text=text)[0]["text"], text)
                trace = json.loads(self.ok("trace", text, *options, "--json"))
                for value in ("embed", "blocks.0.attn.pattern", "blocks.0.attn.scores", "probs"):
                    told = served.ask(ask="window", name=value)[1]["numbers"]
                    self.assertEqual(told, numbers_of(trace["values"][value]), value)
            opened = served.ask(ask="tokens")[0]
            self.assertEqual((opened["model"]["name"], opened["labels"]), ("textbook", ["a", "b", "a"]))
            self.assertNotIn("lens", opened["asks"])
            self.assertEqual(served.ask(ask="open", edits=["blocks.0.attn.z[H=1]=zero"])[0]["edited"], ["blocks.0.attn.z[H=1]=zero"])
            self.assertEqual(served.ask(ask="open", model="built-in", text="a", edits=[])[0]["model"]["name"], "built-in")
        self.assertEqual(limpid("explore", "a b", *options, "--html", "textbook.html").returncode, 0)
        found = page_elements(read("textbook.html"))
        carried = json.loads(gzip.decompress(page_payload(read("textbook.html"), "limpid-model-0")))
        self.assertEqual((carried["seed"], carried["textbook"]["heads"]), (11, 2))

    # ---- calls that are wrong ------------------------------------------------------------------------------

    def test_calls_are_repaired(self):
        whole = read("life.safetensors")
        write("cut.safetensors", whole[:len(whole) // 2])
        write("none.npz", b"PK\x03\x04 no zip at all")
        write("foreign.safetensors", struct.pack("<Q", 2) + b"{}")
        length = struct.unpack_from("<Q", whole)[0]
        write("broken.safetensors", whole[:8] + whole[8:8 + length].replace(b'\\"schema\\"', b'\\"sch_ma\\"') + whole[8 + length:])
        start = ["explore", "--no-open"]
        for status, words, *arguments in (
                (1, "incomplete", "cut.safetensors"), (1, "none.npz", "none.npz"), (1, "is no limpid trace", "foreign.safetensors"),
                (1, 'has no "schema"', "broken.safetensors"), (1, "there is no such file", "gone.safetensors"),
                (2, "is a model; explore a text with it", BUILTIN), (2, "--edit needs its network", "plain.npz", "--edit", EDIT),
                (2, "one word too many", "life.safetensors", "Life is short"), (2, "--tokens is for a text", "life.safetensors", "--tokens", "1"),
                (2, "--seed is for a text", "life.safetensors", "--seed", "3"), (2, "leave one out", "life.safetensors", "--run", "."),
                (2, "leave it out", "life.safetensors", "--model", BUILTIN, "--html", "no.html"),
                (2, "--html: the page", "a", "--decoder", "b", "--html", "no.html"),
                (2, "--vectors gives no sentence", "--vectors", "v.csv"), (2, "exclude each other", "a", "--network", "textbook", "--model", BUILTIN),
                (2, "white space", " ", "--network", "textbook"), (2, "--run shows the run's own", "a", "--network", "textbook", "--run", ".")):
            with self.subTest(arguments=arguments):
                self.refused(status, words, *start, *arguments)
        self.assertFalse(os.path.exists(path("no.html")))

    def test_a_run_of_another_model_is_said(self):
        write("text.txt", TEXT)
        self.ok("train", recipe("r.json", steps=2), "-o", path("small"))
        self.refused(2, "is a run of another model", "explore", "--no-open", "life.safetensors", "--model", path("small/model.safetensors"))


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
