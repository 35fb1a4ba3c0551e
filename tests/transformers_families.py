#!/usr/bin/env python3
"""Families of real models beside transformers: tiny networks with drawn weights, made and run by the library, then by limpid.

  build/peers-venv/bin/python tests/transformers_families.py build/dev/limpid [FAMILY ...]

Each family is one configuration or several (its options), width 32, 2 to 4 layers.  Compared through the command: the logits
(or the last hidden state) and the attention weights of every layer, within 2e-5 of max(1, |value|).  Where transformers is not
installed the test skips (exit status 77): bench/peers/install.sh installs it.
"""
import contextlib
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

try:
    import torch
    import transformers
    from safetensors.torch import load_file
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

SMALL = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, max_position_embeddings=64)
LLAMA = dict(SMALL, num_key_value_heads=2)
GPT = dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=97)

EXPERTS = dict(LLAMA, num_hidden_layers=3, head_dim=8, num_local_experts=6, num_experts_per_tok=2, sliding_window=5,
               rope_parameters=dict(rope_type="yarn", rope_theta=150000.0, factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                                    original_max_position_embeddings=32))


def rope(**more):
    return {"rope_theta": 10000.0, **more}


# Family -> (class of the configuration, class of the model, several sets of options).
CASES = {
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", [dict(GPT), dict(GPT, n_inner=40, activation_function="relu", scale_attn_weights=False)]),
    "gpt_neo": ("GPTNeoConfig", "GPTNeoForCausalLM", [dict(hidden_size=32, num_layers=4, num_heads=4, vocab_size=97, max_position_embeddings=64,
                                                         attention_types=[[["global", "local"], 2]], window_size=4)]),
    "gptj": ("GPTJConfig", "GPTJForCausalLM", [dict(GPT, rotary_dim=4), dict(GPT, rotary_dim=8, n_inner=40)]),
    "gpt_neox": ("GPTNeoXConfig", "GPTNeoXForCausalLM", [dict(SMALL), dict(SMALL, use_parallel_residual=False, attention_bias=False)]),
    "opt": ("OPTConfig", "OPTForCausalLM", [dict(hidden_size=32, ffn_dim=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, word_embed_proj_dim=32,
                                               max_position_embeddings=64),
                                          dict(hidden_size=32, ffn_dim=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, word_embed_proj_dim=32,
                                               max_position_embeddings=64, do_layer_norm_before=False)]),
    "bloom": ("BloomConfig", "BloomForCausalLM", [dict(hidden_size=32, n_layer=2, n_head=4, vocab_size=97), dict(hidden_size=48, n_layer=2, n_head=6, vocab_size=97)]),
    "llama": ("LlamaConfig", "LlamaForCausalLM", [
        dict(LLAMA), dict(LLAMA, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, head_dim=16),
        dict(LLAMA, rope_parameters=rope(rope_type="linear", factor=4.0)),
        dict(LLAMA, rope_parameters=rope(rope_type="dynamic", factor=2.0)),
        dict(LLAMA, max_position_embeddings=8, rope_parameters=rope(rope_type="dynamic", factor=2.0)),
        dict(LLAMA, rope_parameters=rope(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
        dict(LLAMA, rope_parameters=rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=16))]),
    "mistral": ("MistralConfig", "MistralForCausalLM", [dict(LLAMA, sliding_window=4), dict(LLAMA, sliding_window=None)]),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", [dict(LLAMA), dict(LLAMA, num_hidden_layers=4, use_sliding_window=True, sliding_window=4, max_window_layers=2)]),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", [dict(LLAMA, head_dim=8), dict(LLAMA, head_dim=16, attention_bias=True)]),
    "gemma": ("GemmaConfig", "GemmaForCausalLM", [dict(LLAMA, head_dim=8)]),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM", [dict(LLAMA, num_hidden_layers=4, head_dim=8, query_pre_attn_scalar=8, attn_logit_softcapping=2.0, sliding_window=4)]),
    "gemma3_text": ("Gemma3TextConfig", "Gemma3ForCausalLM", [dict(LLAMA, num_hidden_layers=7, head_dim=8, query_pre_attn_scalar=8, sliding_window=4)]),
    "gpt_oss": ("GptOssConfig", "GptOssForCausalLM", [
        dict(EXPERTS), dict(EXPERTS, layer_types=["full_attention", "sliding_attention", "sliding_attention"], head_dim=16, num_key_value_heads=1),
        dict(EXPERTS, sliding_window=4, rope_parameters=rope(rope_type="yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0, truncate=True,
                                                             original_max_position_embeddings=16)),
        dict(EXPERTS, num_experts_per_tok=1, swiglu_limit=0.5, swiglu_alpha=1.0, attention_bias=False, rope_parameters=rope(rope_type="default")),
        dict(EXPERTS, num_local_experts=4, num_experts_per_tok=4, tie_word_embeddings=True)]),
    "mixtral": ("MixtralConfig", "MixtralForCausalLM", [dict(LLAMA, num_local_experts=4), dict(LLAMA, num_local_experts=5, num_experts_per_tok=3, sliding_window=4,
                                                                                             head_dim=16)]),
    "qwen3_moe": ("Qwen3MoeConfig", "Qwen3MoeForCausalLM", [
        dict(LLAMA, head_dim=8, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=21),
        dict(LLAMA, head_dim=16, num_hidden_layers=5, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=21, norm_topk_prob=True, decoder_sparse_step=2,
             mlp_only_layers=[1], use_sliding_window=True, sliding_window=4)]),
    "olmoe": ("OlmoeConfig", "OlmoeForCausalLM", [dict(LLAMA, num_experts=6, num_experts_per_tok=3, pad_token_id=0),
                                                  dict(LLAMA, num_experts=6, num_experts_per_tok=2, norm_topk_prob=True, pad_token_id=0)]),
    "phi": ("PhiConfig", "PhiForCausalLM", [dict(SMALL), dict(LLAMA, rope_parameters=rope(rope_type="default", partial_rotary_factor=0.25))]),
    "phi3": ("Phi3Config", "Phi3ForCausalLM", [dict(LLAMA, pad_token_id=0), dict(LLAMA, pad_token_id=0, sliding_window=4)]),
    "falcon": ("FalconConfig", "FalconForCausalLM", [
        dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=97),
        dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, new_decoder_architecture=True, num_kv_heads=2, bias=True),
        dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, multi_query=False, parallel_attn=False, bias=True)]),
    "stablelm": ("StableLmConfig", "StableLmForCausalLM", [dict(LLAMA), dict(LLAMA, use_qkv_bias=True, use_parallel_residual=True)]),
    "olmo2": ("Olmo2Config", "Olmo2ForCausalLM", [dict(LLAMA)]),
    "starcoder2": ("Starcoder2Config", "Starcoder2ForCausalLM", [dict(LLAMA, sliding_window=4), dict(LLAMA, use_bias=False)]),
    "cohere": ("CohereConfig", "CohereForCausalLM", [dict(LLAMA, pad_token_id=0)]),
    "granite": ("GraniteConfig", "GraniteForCausalLM", [dict(LLAMA, embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.5, logits_scaling=4.0)]),
    "smollm3": ("SmolLM3Config", "SmolLM3ForCausalLM", [dict(LLAMA, num_hidden_layers=5, pad_token_id=0)]),
    "bert": ("BertConfig", "BertForMaskedLM", [dict(SMALL), dict(SMALL, hidden_act="relu")]),
    "bert classes": ("BertConfig", "BertForSequenceClassification", [dict(SMALL, num_labels=3)]),
    "bert tokens": ("BertConfig", "BertForTokenClassification", [dict(SMALL, num_labels=5)]),
    "bert alone": ("BertConfig", "BertModel", [dict(SMALL)]),
    "distilbert": ("DistilBertConfig", "DistilBertForMaskedLM", [dict(dim=32, hidden_dim=37, n_layers=2, n_heads=4, vocab_size=97, max_position_embeddings=64)]),
    "distilbert classes": ("DistilBertConfig", "DistilBertForSequenceClassification", [dict(dim=32, hidden_dim=37, n_layers=2, n_heads=4, vocab_size=97, max_position_embeddings=64)]),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", [dict(SMALL, pad_token_id=1)]),
    "roberta classes": ("RobertaConfig", "RobertaForSequenceClassification", [dict(SMALL, pad_token_id=1)]),
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaForMaskedLM", [dict(SMALL, pad_token_id=1)]),
    "camembert": ("CamembertConfig", "CamembertForMaskedLM", [dict(SMALL, pad_token_id=1)]),
    "albert": ("AlbertConfig", "AlbertForMaskedLM", [dict(SMALL, embedding_size=16)]),
    "albert classes": ("AlbertConfig", "AlbertForSequenceClassification", [dict(SMALL, embedding_size=16)]),
    "electra": ("ElectraConfig", "ElectraForPreTraining", [dict(SMALL, embedding_size=16), dict(SMALL, embedding_size=32)]),
    "electra words": ("ElectraConfig", "ElectraForMaskedLM", [dict(SMALL, embedding_size=16)]),
    "electra classes": ("ElectraConfig", "ElectraForSequenceClassification", [dict(SMALL, embedding_size=16)]),
    "mpnet": ("MPNetConfig", "MPNetForMaskedLM", [dict(SMALL)]),
    "esm": ("EsmConfig", "EsmForMaskedLM", [dict(SMALL, position_embedding_type="rotary", pad_token_id=1, mask_token_id=2, token_dropout=False)]),
    "modernbert": ("ModernBertConfig", "ModernBertForMaskedLM", [dict(SMALL, num_hidden_layers=4, local_attention=6, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                                                                      cls_token_id=1, sep_token_id=2)]),
}

# Of these the text that they write is compared too.
WRITES = {"gpt_oss", "mixtral", "qwen3_moe", "olmoe"}

# Encoder-decoders: the same; their text is written by the library too, by the likeliest token and by beams.
BART = dict(d_model=32, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=2, encoder_ffn_dim=37, decoder_ffn_dim=41,
            vocab_size=97, max_position_embeddings=64, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None)
T5 = dict(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, vocab_size=97, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)
BESIDE = {
    "t5": ("T5Config", "T5ForConditionalGeneration", [dict(T5), dict(T5, feed_forward_proj="gated-gelu", d_kv=6, relative_attention_num_buckets=8,
                                                                     relative_attention_max_distance=6), dict(T5, tie_word_embeddings=False)]),
    "mt5": ("MT5Config", "MT5ForConditionalGeneration", [dict(T5, feed_forward_proj="gated-gelu")]),
    "bart": ("BartConfig", "BartForConditionalGeneration", [dict(BART), dict(BART, scale_embedding=True, activation_function="relu", forced_bos_token_id=5)]),
    "mbart": ("MBartConfig", "MBartForConditionalGeneration", [dict(BART), dict(BART, scale_embedding=True)]),
    "marian": ("MarianConfig", "MarianMTModel", [dict(BART, pad_token_id=96, eos_token_id=0, decoder_start_token_id=96, scale_embedding=True)]),
    "pegasus": ("PegasusConfig", "PegasusForConditionalGeneration", [dict(BART, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, scale_embedding=True)]),
    "m2m_100": ("M2M100Config", "M2M100ForConditionalGeneration", [dict(BART, scale_embedding=True)]),
}
VISION = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, image_size=24, patch_size=8)
DINO = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7)
BEIT = dict(VISION, use_relative_position_bias=True, layer_scale_init_value=0.3)
# The same of images.  "side": of the images that are read, where it is not image_size; "name": our name of what is compared.
IMAGES = {
    "vit": ("ViTConfig", "ViTForImageClassification", [dict(VISION), dict(VISION, qkv_bias=False, num_channels=1)]),
    "deit": ("DeiTConfig", "DeiTForImageClassification", [dict(VISION)]),
    "dinov2": ("Dinov2Config", "Dinov2ForImageClassification", [dict(DINO), dict(DINO, use_swiglu_ffn=True), dict(DINO, side=14), dict(DINO, image_size=21, side=49)]),
    "dinov2 alone": ("Dinov2Config", "Dinov2Model", [dict(DINO)]),
    "beit": ("BeitConfig", "BeitForImageClassification", [
        dict(BEIT), dict(BEIT, use_mean_pooling=False), dict(BEIT, use_absolute_position_embeddings=True, use_relative_position_bias=False),
        dict(BEIT, use_relative_position_bias=False, use_shared_relative_position_bias=True), dict(BEIT, layer_scale_init_value=0.0)]),
    "clip_vision_model": ("CLIPVisionConfig", "CLIPVisionModelWithProjection", [dict(VISION, projection_dim=20), dict(VISION, hidden_act="gelu")]),
    "clip_vision_model alone": ("CLIPVisionConfig", "CLIPVisionModel", [dict(VISION)]),
    "siglip_vision_model": ("SiglipVisionConfig", "SiglipVisionModel", [dict(VISION), dict(VISION, vision_use_head=False)]),
}
TOWERS = {
    "clip_text_model": ("CLIPTextConfig", "CLIPTextModelWithProjection", [dict(SMALL, projection_dim=20, eos_token_id=96)]),
    "clip_text_model alone": ("CLIPTextConfig", "CLIPTextModel", [dict(SMALL, eos_token_id=96)]),
}

LENGTH = 13
passed = failed = 0


def drawn(model):
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:  # a table of waves
                continue
            if parameter.dim() > 1:
                parameter.normal_(0, 0.16)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.tie_weights()


def worst(got, expected):
    if got.numel() != expected.numel():
        return float("inf")
    got, expected = got.double().flatten(), expected.double().flatten()
    return ((got - expected).abs() / expected.abs().clamp(min=1)).max().item()


def write_png(path, pixels):
    """pixels [height, width, channels], bytes"""
    height, width, channels = pixels.shape
    raw = b"".join(b"\0" + bytes(line.flatten().tolist()) for line in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks))


def made(config_name, model_name, options, folder):
    model = getattr(transformers, model_name)(getattr(transformers, config_name)(**options)).eval()
    drawn(model)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    return model


def check_image(program, family, config_name, model_name, options, folder):
    options = dict(options, attn_implementation="eager")
    side = options.pop("side", None) or options["image_size"]
    model = made(config_name, model_name, options, folder)
    channels = options.get("num_channels", 3)
    torch.manual_seed(2)
    pixels = torch.randint(0, 256, (side, side, channels), dtype=torch.uint8)
    write_png(folder / "image.png", pixels)
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(
        image_processor_type="ViTImageProcessor", do_resize=False, do_center_crop=True, crop_size=side, image_mean=[0.5] * channels, image_std=[0.25] * channels)))
    with torch.no_grad():
        reference = model((pixels.permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.25, output_attentions=True)
    return compared(program, model, reference, [folder / "image.png"], folder)


def compared(program, model, reference, arguments, folder):
    """The run of these arguments beside the reference."""
    out = folder / "trace.safetensors"
    done = subprocess.run([program, "trace", *arguments, "--model", folder, "--observe", "*", "-o", out], capture_output=True, text=True)
    if done.returncode != 0:
        return f"limpid: {done.stderr.strip()}"
    trace = load_file(out)
    layers = model.config.num_hidden_layers
    differences = {}
    for key in ("logits", "image_embeds", "text_embeds", "pooler_output", "last_hidden_state"):
        if reference.get(key) is None:
            continue
        ours = {"image_embeds": ["embedding"], "text_embeds": ["embedding"], "pooler_output": ["embedding", "ln_pooled.normalized", "pooled"],
                "last_hidden_state": ["ln_final.normalized", f"blocks.{layers - 1}.resid_post"]}.get(key, [key])
        found = next((n for n in ours if n in trace), None)
        if found:
            differences[key] = worst(trace[found], reference[key])
    if not differences:
        return f"nothing to compare in {sorted(reference.keys())}"
    for layer, weights in enumerate(reference.attentions):
        differences[f"pattern {layer}"] = worst(trace[f"blocks.{layer}.attn.pattern"], weights)
    wrong = {name: f"{value:.1e}" for name, value in differences.items() if not value <= 2e-5}
    return f"parts from transformers: {wrong}" if wrong else ""


def check_tower(program, family, config_name, model_name, options, folder):
    model = made(config_name, model_name, dict(options, attn_implementation="eager"), folder)
    torch.manual_seed(2)
    ids = torch.randint(4, 96, (1, LENGTH))
    ids[0, -1] = 96
    with torch.no_grad():
        reference = model(ids, output_attentions=True)
    return compared(program, model, reference, ["--tokens", ",".join(map(str, ids[0].tolist()))], folder)


def check(program, family, config_name, model_name, options, folder):
    options = dict(options, attn_implementation="eager")
    for unused in ("bos_token_id", "eos_token_id"):
        options.setdefault(unused, 3)
    model = getattr(transformers, model_name)(getattr(transformers, config_name)(**options)).eval()
    if family in WRITES:  # the library's fast products of experts want widths of a multiple of four
        model.set_experts_implementation("eager")
    drawn(model)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    torch.manual_seed(2)
    ids = torch.randint(4, 97, (1, LENGTH))
    with torch.no_grad():
        reference = model(ids, output_attentions=True)
    out = folder / "trace.safetensors"
    done = subprocess.run([program, "trace", "--model", folder, "--tokens", ",".join(map(str, ids[0].tolist())), "--observe", "*", "-o", out],
                          capture_output=True, text=True)
    if done.returncode != 0:
        return f"limpid: {done.stderr.strip()}"
    trace = load_file(out)
    key = "logits" if "logits" in reference else "last_hidden_state"
    name = key if key in trace else next((n for n in ("ln_final.normalized", f"blocks.{model.config.num_hidden_layers - 1}.ln2.normalized") if n in trace), key)
    differences = {key: worst(trace[name], reference[key])}
    for layer, weights in enumerate(reference.attentions):
        differences[f"pattern {layer}"] = worst(trace[f"blocks.{layer}.attn.pattern"], weights)
    wrong = {name: f"{value:.1e}" for name, value in differences.items() if not value <= 2e-5}
    if wrong:
        return f"parts from transformers: {wrong}"
    return check_written(program, model, ids, folder) if family in WRITES else ""


def check_written(program, model, ids, folder):
    """The text that it goes on with is the library's, keys and values kept or not."""
    vocabulary = {f"t{i}": i for i in range(model.config.vocab_size)}
    (folder / "tokenizer.json").write_text(json.dumps(dict(
        version="1.0", added_tokens=[], normalizer=None, pre_tokenizer={"type": "WhitespaceSplit"}, post_processor=None, decoder=None,
        model={"type": "WordLevel", "vocab": vocabulary, "unk_token": "t0"})))
    expected = model.generate(ids, do_sample=False, max_new_tokens=20, min_new_tokens=20, eos_token_id=None, pad_token_id=0)[0, ids.shape[1]:].tolist()
    for cache in ([], ["--no-cache"]):
        done = subprocess.run([program, "generate", " ".join(f"t{i}" for i in ids[0].tolist()), "--model", folder, "--tokens", "20", "--no-stop", "--json", *cache],
                              capture_output=True, text=True)
        if done.returncode != 0:
            return f"limpid generate: {done.stderr.strip()}"
        got = [json.loads(line)["token"] for line in done.stdout.splitlines()[:-1]]
        if got != expected:
            return f"it writes {got} {cache}, transformers {expected}"
    return ""


def check_beside(program, family, config_name, model_name, options, folder):
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


def main():
    global passed, failed
    program = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    everything = [(check, *case) for case in CASES.items()] + [(check_image, *case) for case in IMAGES.items()] + [(check_tower, *case) for case in TOWERS.items()] + [(check_beside, *case) for case in BESIDE.items()]
    for how, family, (config_name, model_name, sets) in everything:
        if wanted and family not in wanted:
            continue
        for i, options in enumerate(sets):
            with tempfile.TemporaryDirectory() as folder:
                what = f"{family}, options {i}"
                try:
                    wrong = how(program, family, config_name, model_name, options, pathlib.Path(folder))
                except Exception as error:  # the library's own
                    wrong = f"transformers: {type(error).__name__}: {error}"
            passed += not wrong
            failed += bool(wrong)
            if wrong:
                print(f"FAILED {what}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    sys.exit(main())
