"""Folders that limpid exports, opened by transformers."""
import json
import subprocess

import torch
import transformers

import transformers_decoders
import transformers_encoders
from transformers_helpers import compared, made

TEXTS = {**transformers_decoders.CASES, **transformers_encoders.CASES}
EXPORTS = {"export " + family: TEXTS[family] for family in ("gpt2", "gpt_neox", "bert", "bert classes", "bert tokens", "bert alone")}
EXPORTS["export llama"] = (*TEXTS["llama"][:2], TEXTS["llama"][2][:2])
OWN = {"export the built-in model": ("", "GPTNeoXForCausalLM", [[]])}


def check_export(program, family, config_name, model_name, options, folder):
    """A folder of the library's, exported by limpid and opened by the library again: the same weights, the same logits."""
    model = made(config_name, model_name, dict(options, attn_implementation="eager", bos_token_id=3, eos_token_id=3), folder / "one")
    done = subprocess.run([program, "export", "--model", folder / "one", "-o", folder / "two"], capture_output=True, text=True)
    if done.returncode != 0:
        return f"limpid: {done.stderr.strip()}"
    again, info = getattr(transformers, model_name).from_pretrained(folder / "two", output_loading_info=True, attn_implementation="eager")
    missing = {name for name in info["missing_keys"] if not name.startswith("pooler.")}  # limpid reads none where nothing uses it
    if missing or info["unexpected_keys"] or info["mismatched_keys"]:
        return f"the library misses or does not know tensors: {info}"
    for name, tensor in model.state_dict().items():
        if name not in info["missing_keys"] and not torch.equal(tensor, again.state_dict()[name]):
            return f"'{name}' is another"
    ids = torch.arange(4, 17)[None]
    with torch.no_grad():
        return "" if torch.equal(model(ids)[0], again.eval()(ids)[0]) else "other results"


def check_own_export(program, family, config_name, model_name, options, folder):
    """What limpid itself made, in the library: the numbers of the trace and the ids of the tokenizer."""
    text = "Life is short, schön und 1605 · \n  it's [gone]"
    call = [program, "export", "-o", folder / "hub", *options]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode != 0:
        return f"limpid: {done.stderr.strip()}"
    model, info = getattr(transformers, model_name).from_pretrained(folder / "hub", output_loading_info=True, attn_implementation="eager")
    if info["missing_keys"] or info["unexpected_keys"]:
        return f"the library misses or does not know tensors: {info}"
    done = subprocess.run([program, "tokens", text, "--json", *options], capture_output=True, text=True)
    ids = [token["id"] for token in json.loads(done.stdout)["tokens"]]
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "hub" / "tokenizer.json"))
    if tokenizer(text)["input_ids"] != ids or tokenizer.decode(ids, clean_up_tokenization_spaces=False) != text:
        return f"the library's tokens are {tokenizer(text)['input_ids']}, not {ids}; or they read {tokenizer.decode(ids)!r}"
    with torch.no_grad():
        return compared(program, model.eval(), model(torch.tensor([ids]), output_attentions=True), [text, *options], folder, False)
