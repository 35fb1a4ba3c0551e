#!/usr/bin/env python3
"""Folders whose SentencePiece pieces are numbered by another file or in another order, beside transformers' own tokenizers.

  build/peers-venv/bin/python tests/tokenizer_folders.py build/dev/tokenizer_lines [--texts N] [--keep FOLDER]

SentencePiece models are trained here on the sample texts (LIMPID_DATA): unigram and BPE, with byte fallback and without.  Each
family's folder is written with them, and drawn texts (all scripts, blanks of all kinds, unknown characters, names of special
tokens) must give the same ids, alone, as the model takes them and twice, and their ids the same text.

Marian's and M2M-100's are held to the library's tokenizers.  Since its version 5 the library has the others by its fast
tokenizers only, which part from SentencePiece where blanks are concerned; where it is older, they are held to its slow ones,
else to SentencePiece itself with the numbers as the library's documentation has them.
Skips (exit status 77) where transformers or sentencepiece is not installed (bench/peers/install.sh installs them).
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

try:
    import sentencepiece
    import transformers
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M_CODES
    from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES as MBART_CODES
    from transformers.models.mbart50.tokenization_mbart50 import FAIRSEQ_LANGUAGE_CODES as MBART50_CODES
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as NLLB_CODES
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
SLOW = int(transformers.__version__.split(".")[0]) < 5
DATA = pathlib.Path(os.environ.get("LIMPID_DATA", pathlib.Path(__file__).parent / "../../shared/data")) / "text"
PARTS = ["a", "the", " the", " ", "  ", "   ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "'s", "I'd", "123", "...", "é", "ñ", "ß", "e\u0301", "日本", "語。",
         "مرحبا", "שלום", "привет", "😀", "👩‍👩‍👧", "½", "ﬁ", "Ⅷ", "ｆｕｌｌ", "▁", "▁▁", "</s>", "<unk>", "<pad>", "<s>", "<mask>", "<", ">", "<<", ">>", "Life",
         " is short", "life is art", "Kunst", "\u200b", "\u200f", "𝔘", "Z", "Q", "x", "\u0301", ""]
results = []


def check(right, what):
    results.append(bool(right))
    print(f"{'ok' if right else 'FAIL':5} {what}", flush=True)


# ---- models and texts

def trained(folder, name, **options):
    """A SentencePiece model over the sample texts; fairseq's are trained with the usual <unk>, <s>, </s>."""
    text = "".join(p.read_text(errors="replace")[:60000] for p in sorted(DATA.rglob("*.txt")))
    corpus = folder / "corpus.txt"
    corpus.write_text(text[:200000])
    sentencepiece.SentencePieceTrainer.train(input=str(corpus), model_prefix=str(folder / name), minloglevel=2, num_threads=2,
                                             **{"vocab_size": 400, "hard_vocab_limit": False, "character_coverage": 0.995, **options})
    return folder / f"{name}.model"


def drawn(count, seed, codes):
    draw = random.Random(seed)
    lines = [line.strip() for p in sorted(DATA.rglob("*.txt")) for line in p.read_text(errors="replace").splitlines()[:400] if line.strip()]
    texts = ["", " ", "  ", "Life is short", " Life  is short ", "日本語です", "ßßß", "▁", "Life is\u00a0short\u3000now", "\u007f", "   \u200f ▁ \u200b\u007f"]
    texts += draw.sample(lines, min(len(lines), count // 4))
    while len(texts) < count:
        parts = [draw.choice(PARTS + codes) if draw.random() < 0.9 else chr(draw.choice([draw.randrange(0x21, 0x24f), draw.randrange(0x400, 0x3000)]))
                 for _ in range(draw.randrange(1, 9))]
        texts.append("".join(parts))
        if codes and draw.random() < 0.3:
            texts[-1] = draw.choice(codes) + draw.choice(["", " ", "  "]) + texts[-1]
    return [t.replace("\0", "") for t in texts]


def ours(program, folder, texts, side=()):
    done = subprocess.run([program, str(folder), *side], input="".join(t + "\0" for t in texts).encode(), capture_output=True)
    if done.returncode:
        return done.stderr.decode()
    out, rest = [], done.stdout.decode()
    for _ in texts:
        plain, special, pair, rest = rest.split("\n", 3)
        said, rest = rest.split("\0", 1)
        out.append(([int(x) for x in plain.split()], [int(x) for x in special.split()], [int(x) for x in pair.split()], said))
    return out


# ---- what is right

def of_library(tokenizer):
    def of(text):
        ids = tokenizer.encode(text, add_special_tokens=False)
        return (ids, tokenizer.encode(text), tokenizer.encode(text, text), tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
    return of


class Numbered:
    """SentencePiece with a family's numbers: names of special tokens cut the text, the mask takes the blanks before it."""

    def __init__(self, model, head, first, tail, single, pair, language=None, unk="<unk>"):
        self.spm = sentencepiece.SentencePieceProcessor(model_file=str(model))
        self.first, self.offset = first, len(head) - first
        self.specials = {name: i for i, name in enumerate(head)}
        size = len(self.spm) + self.offset
        for i in range(first, len(self.spm)):
            if self.spm.is_control(i) or self.spm.is_unknown(i):
                self.specials[self.spm.id_to_piece(i)] = i + self.offset
        self.specials.update({name: size + i for i, name in enumerate(tail)})
        self.names = {i: name for name, i in self.specials.items()}
        self.unk, self.templates, self.language = self.specials[unk], (single, pair), language

    def pieces(self, text):
        return [i + self.offset if i >= self.first and not self.spm.is_unknown(i) else self.unk for i in self.spm.encode(text)]

    def encode(self, text):
        ids, at, begin = [], 0, 0
        while at < len(text):
            name = max((n for n in self.specials if text.startswith(n, at)), key=len, default=None)
            if name is None:
                at += 1
                continue
            between = text[begin:at]
            ids += self.pieces(between.rstrip() if name == "<mask>" else between) + [self.specials[name]]
            at = begin = at + len(name)
        return ids + self.pieces(text[begin:])

    def around(self, template, ids):
        letters = {"s": [self.specials.get("<s>")], "e": [self.specials["</s>"]], "l": [self.specials.get(self.language)], "A": ids, "B": ids}
        return [i for letter in template.split() for i in letters[letter]]

    def __call__(self, text):
        ids = self.encode(text)
        said = self.spm.decode([i - self.offset for i in ids if i not in self.names])
        return (ids, *(self.around(t, ids) for t in self.templates), said)


FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>"]
# Family -> class, first file piece that keeps its place, head, tail, templates, language, what its tokenizer_config.json says.
FAMILIES = {
    "xlm-roberta": ("XLMRobertaTokenizer", 3, FAIRSEQ, ["<mask>"], "s A e", "s A e e B e", None, {}),
    "camembert": ("CamembertTokenizer", 1, ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"], ["<mask>"], "s A e", "s A e e B e", None, {}),
    "xglm": ("XGLMTokenizer", 3, FAIRSEQ, [f"<madeupword{i}>" for i in range(7)], "e A", "e A e e B", None, {}),
    "mbart": ("MBartTokenizer", 3, FAIRSEQ, MBART_CODES + ["<mask>"], "A e l", "A B e l", "de_DE", {"src_lang": "de_DE"}),
    "mbart50": ("MBart50Tokenizer", 3, FAIRSEQ, MBART50_CODES + ["<mask>"], "l A e", "l A B e", "sl_SI", {"src_lang": "sl_SI"}),
    "nllb": ("NllbTokenizer", 3, FAIRSEQ, NLLB_CODES + ["<mask>"], "l A e", "l A B e", "deu_Latn", {"src_lang": "deu_Latn"}),
    "nllb-legacy": ("NllbTokenizer", 3, FAIRSEQ, NLLB_CODES + ["<mask>"], "A e l", "A B e l", "eng_Latn", {"legacy_behaviour": True}),
    "pegasus": ("PegasusTokenizer", 2, ["<pad>", "</s>", "<mask_1>", "<mask_2>"] + [f"<unk_{i}>" for i in range(2, 103)], [], "A e", "A B e", None, {}),
}


def of_file(name):
    """How a family trains SentencePiece, where it is not as usual."""
    return {"pegasus": dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)}.get(name, {})


def same(got, expected):
    """Ids, and the texts but for blanks at their ends, which the library takes off."""
    return got[:3] == expected[:3] and (expected[3] is None or got[3].strip() == expected[3].strip())


def compare(program, folder, texts, reference, what, side=()):
    got = ours(program, folder, texts, side)
    if isinstance(got, str):
        return check(False, f"{what}: {got.strip()}")
    wrong = [(t, g, e) for t, g in zip(texts, got) for e in [reference(t)] if not same(g, tuple(e))]
    check(not wrong, f"{what}: {len(texts)} texts" + "".join(f"\n      {t!r}\n        got      {g}\n        expected {tuple(e)}" for t, g, e in wrong[:3]))


def fairseq_folder(folder, model, name):
    kind, first, head, tail, single, pair, language, config = FAMILIES[name]
    folder.mkdir(parents=True)
    shutil.copy(model, folder / ("spiece.model" if name == "pegasus" else "sentencepiece.bpe.model"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, **config}))
    return Numbered(model, head, first, tail, single, pair, language)


def slow_or_numbered(folder, name, numbered):
    """The ids of the library's slow tokenizer where it has one; texts are SentencePiece's (some of the slow ones leave <0x41> as it is)."""
    if not SLOW or name.startswith("nllb"):  # a new NLLB of the library numbers the mask before the languages
        return numbered
    library = of_library(getattr(transformers, FAMILIES[name][0]).from_pretrained(str(folder)))
    return lambda text: (*library(text)[:3], numbered(text)[3])


def marian_folder(folder, source, target, codes, vocabulary_of):
    folder.mkdir(parents=True)
    shutil.copy(source, folder / "source.spm")
    shutil.copy(target, folder / "target.spm")
    (folder / "vocab.json").write_text(json.dumps(vocabulary_of(source, target, codes), ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps({"source_lang": "eng", "target_lang": "deu", "tokenizer_class": "MarianTokenizer"}))
    return of_library(transformers.MarianTokenizer.from_pretrained(str(folder)))


def apart(program, folder, source, target, codes, texts, what):
    """Marian with a vocabulary for each side, whose special tokens have the same numbers: the library numbers both sides' by the source's."""
    marian_folder(folder, source, target, codes, lambda *_: numbered_pieces(source, codes + ["ß", "привет"]))
    (folder / "target_vocab.json").write_text(json.dumps(numbered_pieces(target, ["日本", "é"]), ensure_ascii=False))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "separate_vocabs": True}))
    tokenizer = transformers.MarianTokenizer.from_pretrained(str(folder))
    ids_alone = of_library(tokenizer)
    reads = lambda text: (*ids_alone(text)[:3], None)  # the library reads ids back as the target's
    compare(program, folder, texts, reads, f"{what}, what is read")
    tokenizer._switch_to_target_mode()
    compare(program, folder, texts, of_library(tokenizer), f"{what}, what is written", ["target"])


def numbered_pieces(model, more):
    spm = sentencepiece.SentencePieceProcessor(model_file=str(model))
    names = [spm.id_to_piece(i) for i in range(len(spm)) if not spm.is_control(i) and not spm.is_unknown(i)]
    names = [n for n in sorted(names, key=hash_of) if hash_of(n) % 7 or n.startswith("<0x")]
    return {piece: i for i, piece in enumerate(dict.fromkeys(["</s>", "<unk>", "<pad>"] + names + more))}


def joint(source, target, codes):
    """Marian's vocab.json: both languages' pieces in an order of its own, some left out, <pad> last."""
    names = []
    for model in (source, target):
        spm = sentencepiece.SentencePieceProcessor(model_file=str(model))
        names += [spm.id_to_piece(i) for i in range(len(spm)) if not spm.is_control(i) and not spm.is_unknown(i)]
    names = sorted(dict.fromkeys(names), key=lambda piece: hash_of(piece))
    names = ["</s>", "<unk>"] + [n for n in names if hash_of(n) % 11 or n.startswith("<0x")] + codes + ["ß", "日本", "привет", "<pad>"]
    return {piece: i for i, piece in enumerate(dict.fromkeys(names))}


def hash_of(text):
    value = 0
    for byte in text.encode():
        value = (value * 31 + byte) % 1000003
    return value


def m2m_folder(folder, model, source_language, codes):
    folder.mkdir(parents=True)
    shutil.copy(model, folder / "sentencepiece.bpe.model")
    spm = sentencepiece.SentencePieceProcessor(model_file=str(model))
    pieces = [spm.id_to_piece(i) for i in range(3, len(spm))]
    pieces = FAIRSEQ + [p for p in reversed(pieces) if hash_of(p) % 13 or p.startswith("<0x")]
    (folder / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}, ensure_ascii=False))
    # As the published folders are: the languages are listed.
    (folder / "special_tokens_map.json").write_text(json.dumps({
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>",
        "additional_special_tokens": [f"__{code}__" for code in M2M_CODES[codes]]}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "M2M100Tokenizer", "src_lang": source_language, "language_codes": codes,
                                                              "additional_special_tokens": [f"__{code}__" for code in M2M_CODES[codes]]}))
    return of_library(transformers.M2M100Tokenizer.from_pretrained(str(folder)))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--texts", type=int, default=300)
    options.add_argument("--keep")
    call = options.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no {DATA} (LIMPID_DATA names the data folder)")
        return 77
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(call.keep or made)
        folder.mkdir(parents=True, exist_ok=True)
        models = {}
        for kind in ("unigram", "bpe"):
            for fallback in (False, True):
                models[kind, fallback] = trained(folder, f"{kind}-{fallback}", model_type=kind, byte_fallback=fallback, vocab_size=700 if fallback else 400)
        plain = trained(folder, "plain", model_type="unigram", add_dummy_prefix=True, remove_extra_whitespaces=False, normalization_rule_name="identity", vocab_size=300)
        models["unigram, blanks kept", False] = plain
        for (kind, fallback), model in models.items():
            what = f"{kind}{', byte fallback' if fallback else ''}"
            for name in FAMILIES:
                own = trained(folder, f"{name}-{kind[:3]}-{fallback}", model_type=kind.split(",")[0], byte_fallback=fallback,
                              vocab_size=700 if fallback else 400, **of_file(name)) if of_file(name) else model
                at = folder / f"{name}-{len(results)}"
                numbered = fairseq_folder(at, own, name)
                codes = [n for n in FAMILIES[name][3] if n != "<mask>"][:4] + FAMILIES[name][2][-2:]
                compare(call.program, at, drawn(call.texts, len(results), codes), slow_or_numbered(at, name, numbered), f"{name}, {what}")
            at = folder / f"marian-{len(results)}"
            codes = [">>fra<<", ">>deu<<", ">>cmn_Hans<<"]
            reference = marian_folder(at, model, models["unigram", True], codes, joint)
            compare(call.program, at, drawn(call.texts, len(results), codes + [">>xyz<<", ">>f"]), reference, f"marian, {what}")
            at = folder / f"marian-apart-{len(results)}"
            apart(call.program, at, model, models["bpe", True], codes, drawn(call.texts, len(results), codes + [">>f"]), f"marian with two vocabularies, {what}")
            for list_name, language in (("m2m100", "de"), ("wmt21", "is")):
                at = folder / f"m2m-{len(results)}"
                reference = m2m_folder(at, model, language, list_name)
                compare(call.program, at, drawn(call.texts, len(results), ["__en__", "__de__", "__zh__", "__q__"]), reference, f"m2m-100 {list_name}, {what}")
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
