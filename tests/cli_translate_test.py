#!/usr/bin/env python3
"""limpid translate, and the parts of an encoder-decoder, on a tiny Marian (LIMPID_DATA: conformance/families/marian) with a
tokenizer made here, held to what transformers computed for its weights and to plain Python.

  tests/cli_translate_test.py build/dev/limpid
"""
import json
import math
import os
import shutil
import struct
import sys

import array_files
from cli_helpers import *

MARIAN = os.path.join(os.environ.get("LIMPID_DATA", os.path.join(SOURCE, "../shared/data")), "conformance/families/marian")
VOCABULARY, START, END = 97, 96, 0
# Token i is the word "wi"; nothing is added round a text, and start and end are no words of one.
TOKENIZER = {"added_tokens": [{"id": START, "content": "<pad>", "special": True, "normalized": False},
                              {"id": END, "content": "</s>", "special": True, "normalized": False}],
             "pre_tokenizer": {"type": "WhitespaceSplit"},
             "model": {"type": "WordLevel", "unk_token": "w1", "vocab": {f"w{i}": i for i in range(1, VOCABULARY - 1)}}}
SOURCE_IDS = [3, 4, 5, 6, 7, 8, 9]


def opus():
    """The same words as the folder of an opus-mt model: source.spm (a protocol buffer), and vocab.json with the numbers.

    APART is the same of a model with a vocabulary for what it reads, in which every number is MOVED more, and one for what it writes.
    """
    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    def piece(text, kind=1):
        return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", -1) + bytes([0x18, kind]))
    pieces = piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + b"".join(piece(f"▁w{i}") for i in range(2, 90))
    numbers = {"</s>": END, "<unk>": 1, **{f"▁w{i}": i for i in range(2, 90)}, ">>fra<<": 90, ">>deu<<": 91, "<pad>": START}
    both = {"source.spm": pieces, "target.spm": pieces}
    apart = {"vocab.json": json.dumps({piece: i + MOVED for piece, i in numbers.items()}), "target_vocab.json": json.dumps(numbers),
             "tokenizer_config.json": json.dumps({"separate_vocabs": True})}
    return {**both, "vocab.json": json.dumps(numbers)}, {**both, **apart}


MOVED = 7
OPUS, APART = opus()


def ids(numbers):
    return ",".join(map(str, numbers))


def words(numbers):
    return " ".join(f"w{i}" for i in numbers)


class Translate(Case):
    @classmethod
    def setUpClass(cls):
        if not os.path.isdir(MARIAN):
            raise unittest.SkipTest(f"no {MARIAN} (LIMPID_DATA names the data folder)")
        os.makedirs(path("marian"), exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(MARIAN, name), path(f"marian/{name}"))
        write("marian/tokenizer.json", json.dumps(TOKENIZER))
        cls.model = ["--model", path("marian")]
        cls.golden = array_files.tensors(os.path.join(MARIAN, "golden2.safetensors"))

    def rows(self, name):
        sizes, numbers = self.golden[name]
        return [[int(x) for x in numbers[r * sizes[1]:(r + 1) * sizes[1]]] for r in range(sizes[0])]

    def translated(self, *arguments):
        return json.loads(self.ok("translate", *arguments, *self.model, "--json"))["texts"]

    def trace(self, *arguments):
        return json.loads(self.ok("trace", *arguments, *self.model, "--json"))

    def test_the_likeliest_tokens_are_the_references(self):
        for source, seen, expected in zip(self.rows("in.input_ids"), self.rows("in.attention_mask"), self.rows("out.generated_ids")):
            source = source[:sum(seen)]
            ended = END in expected
            expected = expected[:expected.index(END)] if ended else expected
            one = self.translated("--ids", ids(source), "--beams", "1", "--tokens", "8")[0]
            self.assertEqual((one["source_ids"], one["ids"], one["ended"]), (source, expected, ended))
            if ended:
                self.assertEqual(self.ok("translate", words(source), "--beams", "1", "--tokens", "8", *self.model), words(expected) + "\n")
            written = self.ok("generate", words(source), "--tokens", "8", *self.model)
            self.assertEqual(written, words(expected) + "\n")

    def test_a_log_probability_is_that_of_its_tokens(self):
        for beams in (1, 3, 6):
            one = self.translated(words(SOURCE_IDS), "--beams", str(beams), "--tokens", "6")[0]
            text = [START] + one["ids"] + ([END] if one["ended"] else [])
            logits = self.trace("--tokens", ids(SOURCE_IDS), "--decoder", ids(text))["values"]["logits"]["data"][0]
            total = 0
            for row, chosen in zip(logits, text[1:]):
                total += row[chosen] - max(row) - math.log(sum(math.exp(x - max(row)) for x in row))
            self.assertAlmostEqual(one["log_probability"], total, places=4)
            self.assertEqual(one["translation"], words(one["ids"]))

    def test_lines_are_texts(self):
        texts = [words([3, 4, 5]), words([9, 8, 7, 6])]
        file = write("lines.txt", "\n".join(texts) + "\n")
        together = self.translated("--lines", file, "--beams", "2")
        self.assertEqual([t["text"] for t in together], texts)
        for text, one in zip(texts, together):
            self.assertEqual(self.translated(text, "--beams", "2"), [one])

    def test_a_trace_is_kept_and_shows_its_parts(self):
        done = limpid("translate", words(SOURCE_IDS), "--tokens", "5", "--trace", path("t.safetensors"), *self.model)
        self.assertEqual(done.returncode, 0, done.stderr)
        whole = json.loads(self.ok("trace", path("t.safetensors"), "--json"))
        target = [t["label"] for t in whole["tokens"]]
        self.assertEqual([t["label"] for t in whole["source"]], words(SOURCE_IDS).split())
        self.assertEqual(target[0], "<pad>")
        cross = json.loads(self.ok("trace", path("t.safetensors"), "--part", "cross", "--json"))
        self.assertEqual([t["label"] for t in cross["keys"]], words(SOURCE_IDS).split())
        self.assertEqual(cross["values"]["blocks.0.attn.pattern"], whole["values"]["blocks.0.cross_attn.pattern"])
        for head in cross["values"]["blocks.1.attn.pattern"]["data"][0]:
            self.assertEqual((len(head), len(head[0])), (len(target), len(SOURCE_IDS)))
            for row in head:
                self.assertAlmostEqual(sum(row), 1, places=5)
        encoder = json.loads(self.ok("trace", path("t.safetensors"), "--part", "encoder", "--json"))
        self.assertEqual(encoder["values"]["blocks.0.attn.q"], whole["values"]["encoder.blocks.0.attn.q"])
        self.assertEqual(encoder["text"], words(SOURCE_IDS))
        for part in ("decoder", "encoder", "cross"):
            stored = self.ok("trace", path("t.safetensors"), "--part", part)
            self.assertIn("Layer 1", stored)
            run = self.ok("trace", words(SOURCE_IDS), "--decoder", ids(t["id"] for t in whole["tokens"]), "--part", part, *self.model)
            self.assertEqual(stored.split("Embedding")[-1][:2000], run.split("Embedding")[-1][:2000])
        self.assertIn('T=1 is "', self.ok("explain", "blocks.0.cross_attn.pattern[H=1,T=1,S=w9]", path("t.safetensors")))
        self.assertIn('S=6 is "w9"', self.ok("explain", "blocks.0.cross_attn.pattern[H=1,T=1,S=w9]", path("t.safetensors")))

    def test_figures_name_both_texts(self):
        call = ["--text", words(SOURCE_IDS), "--decoder", "w20 w21", *self.model]
        for figure in ("heads", "matrices", "token"):
            self.ok("draw", figure, *call, "--part", "cross", "-o", path("f.svg"))
            svg = read("f.svg").decode()
            for label in ("w3", "w9", "w21"):
                self.assertIn(f">{label}<", svg.replace("</tspan>", "<"))
        self.ok("draw", *call, "-o", path("net.svg"))
        svg = read("net.svg").decode()
        for words_ in ("Encoder block", "Decoder block", "Cross-Attention", "Encoder", "w3"):
            self.assertIn(words_, svg)

    def test_what_it_refuses(self):
        self.refused(2, "encoder-decoder", "translate", "Life is short")
        self.refused(2, "no part 'cross'", "trace", "Life", "--part", "cross")
        self.refused(2, "no part 'encoder'", "draw", "heads", "--part", "encoder", "-o", path("x.svg"))
        self.refused(2, "has no encoder", "trace", "Life", "--decoder", "is")
        self.refused(2, ["token 97", "0 to 96"], "translate", "--ids", "3,97", *self.model)
        self.refused(2, ["--ids 3,x", "'x'"], "translate", "--ids", "3,x", *self.model)
        self.refused(2, "leave the others out", "translate", "w3", "--ids", "3", *self.model)
        self.refused(2, ["--decoder: 99", "0 to 96"], "trace", "w3", "--decoder", "96,99", *self.model)
        self.refused(2, "at least one word", "translate", "", *self.model)
        self.refused(2, "beside a source", "eval", "w3 w4", *self.model)
        self.refused(2, "beside a source", "lens", "w3 w4", *self.model)
        self.refused(2, ["65 tokens", "64"], "translate", words([5] * 65), *self.model)
        self.refused(2, "--beams", "translate", "w3", "--beams", "0", *self.model)
        config = json.loads(read("marian/config.json"))
        os.makedirs(path("startless"), exist_ok=True)
        shutil.copyfile(path("marian/model.safetensors"), path("startless/model.safetensors"))
        write("startless/config.json", json.dumps({k: v for k, v in config.items() if k not in ("decoder_start_token_id", "pad_token_id")}))
        self.refused(2, "decoder_start_token_id", "translate", "--ids", "3,4", "--model", path("startless"))
        self.refused(1, "layers", "translate", "--ids", "3", "--model", self.changed(decoder_layers=900))
        self.refused(1, ["forced_bos_token_id", "97"], "translate", "--ids", "3", "--model", self.changed(forced_bos_token_id=97))
        self.refused(1, "num_beams", "translate", "--ids", "3", "--model", self.changed(num_beams=1e300))
        self.refused(1, "eos_token_id", "translate", "--ids", "3", "--model", self.changed(eos_token_id="</s>"))
        odd = [{"name": 3, "template": "a"}, 5, {"name": "default"}]
        model = self.changed()
        write("changed/tokenizer_config.json", json.dumps({"chat_template": odd}))
        self.assertEqual(limpid("translate", "--ids", "3,4", "--tokens", "4", "--model", model).returncode, 0)
        os.remove(path("changed/tokenizer_config.json"))
        self.refused(1, "decoder_attention_heads", "translate", "--ids", "3", "--model", self.changed(decoder_attention_heads="four"))

    def test_an_opus_folder_is_read(self):
        model = self.changed()
        for name, data in OPUS.items():
            write(f"changed/{name}", data)
        try:
            one = json.loads(self.ok("translate", "w3 w4", "--tokens", "4", "--json", "--model", model))["texts"][0]
            self.assertEqual(one["source_ids"], [3, 4, END])
            self.assertEqual(one["translation"].split(), [f"w{i}" for i in one["ids"] if i < 90])
            for name in ("fra", ">>fra<<"):
                to = json.loads(self.ok("translate", "w3 w4", "--to", name, "--tokens", "4", "--json", "--model", model))["texts"][0]
                self.assertEqual(to["source_ids"], [90, 3, 4, END])
            again = json.loads(self.ok("translate", ">>deu<< w3 w4", "--to", "fra", "--tokens", "4", "--json", "--model", model))["texts"][0]
            self.assertEqual(again["source_ids"], [90, 3, 4, END])
            self.assertEqual(again["ids"], to["ids"])
            by_ids = json.loads(self.ok("translate", "--ids", "3,4,0", "--to", "fra", "--tokens", "4", "--json", "--model", model))["texts"][0]
            self.assertEqual(by_ids["ids"], to["ids"])
            done = limpid("translate", "w3 w4", "--to", "fra", "--tokens", "4", "--trace", path("opus.safetensors"), "--model", model)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(json.loads(self.ok("trace", path("opus.safetensors"), "--json"))["source"]), 4)
            self.refused(2, ['"xyz"', "fra, deu"], "translate", "w3", "--to", "xyz", "--model", model)
            self.refused(2, "leave it out", "translate", "w3", "--from", "fra", "--model", model)
            write("changed/vocab.json", "{}")
            self.refused(1, ["vocab.json", "<unk>"], "translate", "w3", "--model", model)
        finally:
            for name in OPUS:
                os.remove(path(f"changed/{name}"))

    def test_a_vocabulary_for_each_side(self):
        """The encoder's table with MOVED rows before its own: what is written is what one vocabulary gives."""
        os.makedirs(path("apart"), exist_ok=True)
        weights = array_files.tensors(path("marian/model.safetensors"))
        sizes, table = weights.pop("model.shared.weight")
        rows = {"model.decoder.embed_tokens.weight": (sizes, table),
                "model.encoder.embed_tokens.weight": ([sizes[0] + MOVED, sizes[1]], [0.5] * (MOVED * sizes[1]) + table)}
        raw = [(name, "F32", size, struct.pack(f"<{len(numbers)}f", *numbers)) for name, (size, numbers) in {**weights, **rows}.items()]
        write("apart/model.safetensors", array_files.safetensors({}, raw=raw))
        config = dict(json.loads(read("marian/config.json")), share_encoder_decoder_embeddings=False, vocab_size=VOCABULARY + MOVED, decoder_vocab_size=VOCABULARY)
        write("apart/config.json", json.dumps(config))
        one_for_both = self.changed()
        for folder, files in (("changed", OPUS), ("apart", APART)):
            for name, data in files.items():
                write(f"{folder}/{name}", data)
        try:
            call = ["--tokens", "6", "--json"]
            for text in ("w3 w4 w9", ">>fra<< w3 w80"):
                expected = json.loads(self.ok("translate", text, *call, "--model", one_for_both))["texts"][0]
                got = json.loads(self.ok("translate", text, *call, "--model", path("apart")))["texts"][0]
                self.assertEqual(got["source_ids"], [i + MOVED for i in expected["source_ids"]])
                for key in ("ids", "translation", "log_probability"):
                    self.assertEqual(got[key], expected[key])
        finally:
            for name in OPUS:
                os.remove(path(f"changed/{name}"))
        by_ids = json.loads(self.ok("translate", "--ids", ids(got["source_ids"]), *call, "--model", path("apart")))["texts"][0]
        self.assertEqual(by_ids["ids"], got["ids"])
        self.refused(2, [f"token {VOCABULARY + MOVED}", f"0 to {VOCABULARY + MOVED - 1}"], "translate", "--ids", str(VOCABULARY + MOVED), "--model", path("apart"))
        trace = json.loads(self.ok("trace", "w3 w80", "--decoder", "w5", "--model", path("apart"), "--json"))
        self.assertEqual([(t["id"], t["label"]) for t in trace["source"]], [(3 + MOVED, "·w3"), (80 + MOVED, "·w80"), (END + MOVED, "</s>")])
        self.assertEqual([(t["id"], t["label"]) for t in trace["tokens"]], [(START, "<pad>"), (5, "·w5"), (END, "</s>")])
        self.assertIn(f"{VOCABULARY + MOVED} tokens", self.ok("tokens", "w3", "--model", path("apart")))
        self.refused(2, "leave --tokenizer out", "translate", "w3", "--model", path("apart"), "--tokenizer", path("marian"))
        os.remove(path("apart/target_vocab.json"))
        self.refused(1, "target_vocab.json", "translate", "w3", "--model", path("apart"))

    def test_languages_are_tokens(self):
        languages = {"en_XX": 90, "fr_XX": 91, "fr_CA": 92}
        tokenizer = dict(TOKENIZER, added_tokens=TOKENIZER["added_tokens"] + [{"id": i, "content": c, "special": True, "normalized": False}
                                                                           for c, i in languages.items()])
        tokenizer["model"] = dict(TOKENIZER["model"], vocab={f"w{i}": i for i in range(1, 90)})
        tokenizer["post_processor"] = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "en_XX", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                                       "pair": [], "special_tokens": {"en_XX": {"id": "en_XX", "ids": [90]}}}
        model = self.changed()
        write("changed/tokenizer.json", json.dumps(tokenizer))
        try:
            def one(*arguments):
                return json.loads(self.ok("translate", *arguments, "--tokens", "4", "--json", "--model", model))["texts"][0]
            self.assertEqual(one("w3")["source_ids"], [90, 3])
            done = one("w3", "--to", "fr_CA", "--from", "fr_XX")
            self.assertEqual((done["source_ids"], done["ids"][0]), ([91, 3], 92))
            self.assertEqual(one("w3", "--to", "en")["ids"][0], 90)
            self.refused(2, "fr_XX, fr_CA", "translate", "w3", "--to", "fr", "--model", model)
            self.refused(2, "en_XX, fr_XX, fr_CA", "translate", "w3", "--from", "klingon", "--model", model)
            self.refused(2, "themselves", "translate", "--ids", "3", "--from", "en", "--model", model)
        finally:
            os.remove(path("changed/tokenizer.json"))
        self.refused(2, "no tokens of languages", "translate", "w3", "--to", "fr", *self.model)

    def test_a_stored_trace_lists_as_many_tokens_as_it_has_places(self):
        self.ok("trace", "--tokens", ids(SOURCE_IDS), "--decoder", "96,5", "-o", path("s.safetensors"), *self.model)
        raw = read("s.safetensors")
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:8 + size])
        meta = json.loads(header["__metadata__"]["limpid"])
        meta["source"] = meta["source"][:-1]
        header["__metadata__"]["limpid"] = json.dumps(meta)
        text = json.dumps(header).encode()
        write("s.safetensors", len(text).to_bytes(8, "little") + text + raw[8 + size:])
        self.refused(1, ["6 tokens of the source", "=7"], "trace", path("s.safetensors"))

    def changed(self, **config):
        os.makedirs(path("changed"), exist_ok=True)
        shutil.copyfile(path("marian/model.safetensors"), path("changed/model.safetensors"))
        write("changed/config.json", json.dumps(dict(json.loads(read("marian/config.json")), **config)))
        return path("changed")


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
