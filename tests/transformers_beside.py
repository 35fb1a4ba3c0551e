"""Encoder-decoders beside transformers: the same, and their text by the likeliest token and by beams."""
import contextlib
import io
import json
import subprocess

import torch
import transformers
from safetensors.torch import load_file

from transformers_helpers import LENGTH, drawn, worst

BART = dict(d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=2, encoder_ffn_dim=37, decoder_ffn_dim=41,
            vocab_size=97, max_position_embeddings=64, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None)
T5 = dict(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, vocab_size=97, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)
CASES = {
    "t5": ("T5Config", "T5ForConditionalGeneration", [dict(T5), dict(T5, feed_forward_proj="gated-gelu", d_kv=6, relative_attention_num_buckets=8,
                                                                     relative_attention_max_distance=6), dict(T5, tie_word_embeddings=False)]),
    "mt5": ("MT5Config", "MT5ForConditionalGeneration", [dict(T5, feed_forward_proj="gated-gelu")]),
    "bart": ("BartConfig", "BartForConditionalGeneration", [dict(BART), dict(BART, scale_embedding=True, activation_function="relu", forced_bos_token_id=5)]),
    "mbart": ("MBartConfig", "MBartForConditionalGeneration", [dict(BART), dict(BART, scale_embedding=True)]),
    "marian": ("MarianConfig", "MarianMTModel", [
        dict(BART, pad_token_id=96, eos_token_id=0, decoder_start_token_id=96, scale_embedding=True),
        dict(BART, vocab_size=101, decoder_vocab_size=93, pad_token_id=92, eos_token_id=0, decoder_start_token_id=92, share_encoder_decoder_embeddings=False),
        dict(BART, vocab_size=90, decoder_vocab_size=97, pad_token_id=89, eos_token_id=0, decoder_start_token_id=89, share_encoder_decoder_embeddings=False,
             tie_word_embeddings=False)]),
    "pegasus": ("PegasusConfig", "PegasusForConditionalGeneration", [dict(BART, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, scale_embedding=True)]),
    "m2m_100": ("M2M100Config", "M2M100ForConditionalGeneration", [dict(BART, scale_embedding=True)]),
}


def check(program, family, config_name, model_name, options, folder):
    model = getattr(transformers, model_name)(getattr(transformers, config_name)(**options, attn_implementation="eager")).eval()
    drawn(model)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.normal_(0, 0.5)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    torch.manual_seed(2)
    ids, target = torch.randint(4, 90, (1, LENGTH)), torch.randint(4, 90, (1, 9))
    target[0, 0] = model.config.decoder_start_token_id
    listed = lambda row: ",".join(map(str, row.tolist()))
    with torch.no_grad():
        reference = model(ids, decoder_input_ids=target, output_attentions=True)
    out = folder / "trace.safetensors"
    call = [program, "trace", "--model", folder, "--tokens", listed(ids[0]), "--decoder", listed(target[0]), "--observe", "*", "-o", out]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode != 0:
        return f"limpid: {done.stderr.strip()}"
    trace = load_file(out)
    differences = {"logits": worst(trace["logits"], reference.logits)}
    for ours, theirs in (("encoder.blocks.{}.attn", "encoder_attentions"), ("blocks.{}.attn", "decoder_attentions"), ("blocks.{}.cross_attn", "cross_attentions")):
        for layer, weights in enumerate(reference[theirs]):
            differences[f"{theirs} {layer}"] = worst(trace[ours.format(layer) + ".pattern"], weights)
    wrong = {name: f"{value:.1e}" for name, value in differences.items() if not value <= (3e-5 if name == "logits" else 2e-5)}
    if wrong:
        return f"parts from transformers: {wrong}"
    # Written text: the tokens behind the start, without the end and what pads it.
    ends = {model.config.eos_token_id, model.config.pad_token_id}
    for beams in (1, 2, 5):
        for penalty in (1.0, 0.4) if beams > 1 else (1.0,):
            expected = model.generate(ids, num_beams=beams, do_sample=False, max_new_tokens=20, length_penalty=penalty, early_stopping=False)[0].tolist()[1:]
            expected = expected[:next((i for i, token in enumerate(expected) if token in ends), len(expected))]
            done = subprocess.run([program, "translate", "--model", folder, "--ids", listed(ids[0]), "--tokens", "20", "--json", "--beams", str(beams),
                                   "--length-penalty", str(penalty)], capture_output=True, text=True)
            if done.returncode != 0:
                return f"limpid translate: {done.stderr.strip()}"
            got = json.loads(done.stdout)["texts"][0]["ids"]
            if got != expected:
                return f"{beams} beams, penalty {penalty}: it writes {got}, transformers {expected}"
    return ""
