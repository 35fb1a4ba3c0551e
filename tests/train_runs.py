"""Small runs of every task, for the tests of ranks and of resuming: data made here, and recipes over it."""
import gzip
import json
import random
import struct

from cli_helpers import TEXT, path, write


def block(**more):
    return {"norm": {"kind": "layer"}, "attention": {"heads": 2, "width": 8, "out_width": 16, "dropout": 0.1, **more}, "feed_forward": {"width": 32}}


def network(head, blocks=None, **more):
    return {"network": "parts", "family": "small", "inputs": {"width": 16, "positions": "learned", "context": 32},
            "stack": {"layers": 2, "blocks": [blocks or block()], "final_norm": {"kind": "layer"}}, "head": head, **more}


def data():
    draw = random.Random(1)
    write("text.txt", TEXT * 3)
    things = {"weather": ["rain", "sun", "wind", "snow"], "food": ["bread", "soup", "rice", "tea"]}
    rows = [(kind, "today there is " + " ".join(draw.choices(things[kind], k=draw.randint(1, 9)))) for kind in list(things) * 35]
    write("texts.csv", "text,category\n" + "".join(f"{text},{kind}\n" for kind, text in rows))
    images, labels = bytearray(), bytearray()
    for i in range(60):
        labels.append(i % 3)
        images += bytes(min(255, draw.randint(0, 90) + (150 if (y // 3 if i % 3 else x // 3) % 2 == i % 2 else 0))
                        for y in range(12) for x in range(12))
    write("images.idx", struct.pack(">IIII", 0x803, 60, 12, 12) + images)
    write("labels.idx", struct.pack(">II", 0x801, 60) + labels)
    words = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four"}
    pairs = [draw.choices(list(words), k=draw.randint(1, 6)) for _ in range(64)]
    with gzip.open(path("de.gz"), "wt") as file:
        file.write("".join(" ".join(p) + "\n" for p in pairs))
    write("en.txt", "".join(" ".join(words[w] for w in p) + "\n" for p in pairs))
    write("waves.csv", "small,large\n" + "".join(f"{draw.gauss(i % 8, 0.3):.3f},{draw.gauss(i % 5, 0.3):.3f}\n" for i in range(300)))


ENCODER = {"inputs": {"width": 16, "positions": "learned", "context": 32},
           "stack": {"layers": 1, "blocks": [block()], "final_norm": {"kind": "layer"}}}
GPT = {"network": "gpt", "layers": 2, "heads": 2, "width": 24, "context": 16, "positions": "rotary", "dropout": 0.1, "attention_dropout": 0.1}
CLASSES = {"task": "classes", "tokenizer": "words", "network": network({"kind": "classes", "pool": "mean", "bias": True}, dropout=0.2),
           "data": {"training": "texts.csv"}, "word_dropout": 0.2, "average": 0.9}
TRANSLATION = {"task": "translation", "tokenizer": "bpe", "vocabulary": 300, "data": {"training": ["de.gz", "en.txt"]},
               "network": network({"kind": "next_word", "tied": True}, {**block(mask="causal"), "cross": block()["attention"]},
                                  encoder=ENCODER, dropout=0.1)}
RUNS = {
    "next_word": {"network": GPT, "tokenizer": "bpe", "vocabulary": 300, "data": ["text.txt"]},
    "accumulated": {"network": GPT, "tokenizer": "characters", "data": ["text.txt"], "accumulate": 3},
    "lines": {"network": GPT, "tokenizer": "words", "data": ["text.txt"], "examples": "lines"},
    "classes": CLASSES,
    "padded classes": {**CLASSES, "pack": False},
    "muon": {**CLASSES, "optimizer": "muon"},
    "images": {"task": "images", "data": {"training": ["images.idx", "labels.idx"]}, "augment": {"shift": 0.1, "rotate": 10, "erase": 0.3},
               "network": {**network({"kind": "classes", "pool": "first", "bias": True, "label_smoothing": 0.1}, dropout=0.1),
                           "inputs": {"width": 16}, "patches": {"size": 4, "tokens": ["cls_token"]}}},
    "translation": TRANSLATION,
    "bf16": {**TRANSLATION, "activations": "bf16"},
    "padded translation": {**TRANSLATION, "pack": False},
    "forecast": {"task": "forecast", "data": {"training": "waves.csv"}, "forecast": {"look_back": 16, "horizon": 4},
                 "network": network({"kind": "forecast", "flat": True, "bias": True}, series={"size": 4, "stride": 4}, dropout=0.1)},
    "algorithm": {"task": "algorithm", "algorithm": {"kind": "reverse", "length": 4, "symbols": 5}, "network": {**GPT, "context": 16}},
}


def recipe(name, **settings):
    """The file of that run's recipe; of 7 examples a batch, which no number of ranks parts alike."""
    all_settings = {"title": name, "steps": 12, "batch": 7, "context": 16, "epoch": 1, "learning_rate": 3e-3, "warm_up": 4,
                    "validation": 0.2, "seed": 3, **RUNS[name], **settings}
    return write(f"{name}.json", json.dumps(all_settings))


def reports(folder):
    with open(path(f"{folder}/log.jsonl")) as file:
        return [json.loads(line) for line in file]
