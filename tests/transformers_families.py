#!/usr/bin/env python3
"""Families of real models beside transformers: tiny networks with drawn weights, made and run by the library, then by limpid.

  build/peers-venv/bin/python tests/transformers_families.py build/dev/limpid [FAMILY ...] [--keep FOLDER]

--keep leaves each model in FOLDER/FAMILY-N, with limpid's trace of it (trace.safetensors) and the library's numbers
(reference.safetensors: hidden states, attention weights, logits) beside it: limpid diff of the two names the first stage that parts.

Each family is one configuration or several (its options), width 32, 2 to 4 layers.  Compared through the command: the logits
(or the last hidden state) and the attention weights of every layer, within 2e-5 of max(1, |value|).  Where transformers is not
installed the test skips (exit status 77): bench/peers/install.sh installs it.
"""
import argparse
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
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

SMALL = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, max_position_embeddings=64)
LLAMA = dict(SMALL, num_key_value_heads=2)
XGLM = dict(d_model=32, ffn_dim=37, num_layers=2, attention_heads=4, vocab_size=97, max_position_embeddings=64)
GPT = dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=97)

ESM = dict(SMALL, position_embedding_type="rotary", pad_token_id=1, mask_token_id=2, token_dropout=True)
DEBERTA = dict(SMALL, relative_attention=True, position_buckets=8, max_relative_positions=16, norm_rel_ebd="layer_norm", share_att_key=True,
               pos_att_type="p2c|c2p", position_biased_input=False, type_vocab_size=0)
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
    "codegen": ("CodeGenConfig", "CodeGenForCausalLM", [dict(GPT, rotary_dim=4), dict(GPT, rotary_dim=8, n_inner=40), dict(GPT, n_head=2, rotary_dim=6, activation_function="relu")]),
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
    "olmo": ("OlmoConfig", "OlmoForCausalLM", [dict(LLAMA), dict(LLAMA, clip_qkv=0.4), dict(LLAMA, attention_bias=True, tie_word_embeddings=True, clip_qkv=0.2),
                                               dict(LLAMA, rope_parameters=rope(rope_type="linear", factor=4.0))]),
    "olmo2": ("Olmo2Config", "Olmo2ForCausalLM", [dict(LLAMA)]),
    "starcoder2": ("Starcoder2Config", "Starcoder2ForCausalLM", [dict(LLAMA, sliding_window=4), dict(LLAMA, use_bias=False)]),
    "cohere": ("CohereConfig", "CohereForCausalLM", [dict(LLAMA, pad_token_id=0)]),
    "granite": ("GraniteConfig", "GraniteForCausalLM", [dict(LLAMA, embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.5, logits_scaling=4.0)]),
    "xglm": ("XGLMConfig", "XGLMForCausalLM", [dict(XGLM), dict(XGLM, scale_embedding=False, activation_function="relu"), dict(XGLM, pad_token_id=0, tie_word_embeddings=False)]),
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
    "esm": ("EsmConfig", "EsmForMaskedLM", [
        dict(ESM, token_dropout=False), dict(ESM), dict(ESM, emb_layer_norm_before=True), dict(ESM, position_embedding_type="absolute", emb_layer_norm_before=True)]),
    "esm classes": ("EsmConfig", "EsmForSequenceClassification", [dict(ESM, num_labels=3)]),
    "esm tokens": ("EsmConfig", "EsmForTokenClassification", [dict(ESM, num_labels=5)]),
    "deberta-v2": ("DebertaV2Config", "DebertaV2ForMaskedLM", [
        dict(DEBERTA), dict(DEBERTA, legacy=False), dict(DEBERTA, share_att_key=False), dict(DEBERTA, pos_att_type=["c2p"], norm_rel_ebd="none"),
        dict(DEBERTA, pos_att_type=["p2c"], share_att_key=False), dict(DEBERTA, position_buckets=4, max_relative_positions=9),
        dict(DEBERTA, position_buckets=-1, max_relative_positions=5), dict(DEBERTA, position_buckets=-1, position_biased_input=True),
        dict(DEBERTA, embedding_size=20, position_biased_input=True, type_vocab_size=2), dict(DEBERTA, relative_attention=False, position_biased_input=True),
        dict(DEBERTA, conv_kernel_size=3, conv_act="gelu"), dict(DEBERTA, conv_kernel_size=5, num_hidden_layers=3), dict(DEBERTA, pos_att_type=None), dict(DEBERTA, hidden_size=48, num_attention_heads=3, tie_word_embeddings=False)]),
    "deberta-v2 classes": ("DebertaV2Config", "DebertaV2ForSequenceClassification", [dict(DEBERTA, num_labels=3), dict(DEBERTA, num_labels=2, pooler_hidden_act="tanh")]),
    "deberta-v2 tokens": ("DebertaV2Config", "DebertaV2ForTokenClassification", [dict(DEBERTA, num_labels=5)]),
    "deberta-v2 alone": ("DebertaV2Config", "DebertaV2Model", [dict(DEBERTA, type_vocab_size=2)]),
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

TOWER = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4)
PAIRS = {  # the classes of the texts' configuration and the images', then their options
    "clip": ("CLIPConfig", "CLIPModel", [dict(projection_dim=20, text_config=dict(TOWER, vocab_size=97, max_position_embeddings=20, eos_token_id=96, bos_token_id=95),
                                              vision_config=dict(TOWER, hidden_size=24, image_size=24, patch_size=8))]),
    "siglip": ("SiglipConfig", "SiglipModel", [dict(text_config=dict(TOWER, vocab_size=97, max_position_embeddings=20, pad_token_id=1, eos_token_id=96),
                                                    vision_config=dict(TOWER, image_size=24, patch_size=8))]),
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


def compared(program, model, reference, arguments, folder, of_folder=True):
    """The run of these arguments, of the folder's model, beside the reference."""
    out = folder / "trace.safetensors"
    named = ["--model", folder] if of_folder else []
    done = subprocess.run([program, "trace", *arguments, *named, "--observe", "*", "-o", out], capture_output=True, text=True)
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


WORDS = [f"w{i}" for i in range(97)]


def check_pairs(program, family, config_name, model_name, options, folder):
    """Texts of other lengths than one another, and more of them than images, through classify, embed and trace."""
    model = made(config_name, model_name, dict(options, attn_implementation="eager"), folder)
    ends = [{"SpecialToken": {"id": "w96", "type_id": 0}}]
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": [dict(id=96, content="w96", special=True, single_word=False, lstrip=False, rstrip=False, normalized=False)],
        "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": None,
        "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}] + ends, "pair": [{"Sequence": {"id": "A", "type_id": 0}}] + ends,
                           "special_tokens": {"w96": {"id": "w96", "ids": [96], "tokens": ["w96"]}}},
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(WORDS)}, "unk_token": "w0"}}))
    torch.manual_seed(2)
    texts = [torch.randint(4, 90, (length,)).tolist() for length in (5, 9, 3)]
    pixels = torch.randint(0, 256, (2, 24, 24, 3), dtype=torch.uint8)
    for i in range(2):
        write_png(folder / f"image{i}.png", pixels[i])
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(
        image_processor_type="ViTImageProcessor", do_resize=False, do_center_crop=True, crop_size=24, image_mean=[0.5] * 3, image_std=[0.25] * 3)))
    context = options["text_config"]["max_position_embeddings"] if family == "siglip" else max(map(len, texts)) + 1
    ids = torch.tensor([t + [96] + [1 if family == "siglip" else 96] * (context - len(t) - 1) for t in texts])
    mask = None if family == "siglip" else torch.tensor([[1] * (len(t) + 1) + [0] * (context - len(t) - 1) for t in texts])
    with torch.no_grad():
        reference = model(input_ids=ids, attention_mask=mask, pixel_values=(pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25)
        text_run = model.text_model(ids[:1], attention_mask=None if mask is None else mask[:1], output_attentions=True)
    words = [" ".join(WORDS[i] for i in t) for t in texts]
    images = [str(folder / f"image{i}.png") for i in range(2)]

    def call(*arguments):
        done = subprocess.run([program, *arguments, "--model", folder], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"limpid {arguments[0]}: {done.stderr.strip()}")
        return done.stdout
    logits = torch.empty(2, 3)
    for i, image in enumerate(json.loads(call("classify", *images, "--labels", ",".join(words), "--json"))["images"]):
        for found in image["classes"]:
            logits[i, words.index(found["class"])] = found["logit"]
    differences = {"logits": worst(logits, reference.logits_per_image)}
    for what, arguments, expected in (("images", images, reference.image_embeds), ("texts", words, reference.text_embeds)):
        got = json.loads(call("embed", *arguments, "--normalize", "--json"))["embeddings"]
        differences[what] = worst(torch.tensor(got), expected)
    call("trace", words[0], "--observe", "*", "-o", folder / "trace.safetensors")
    trace = load_file(folder / "trace.safetensors")
    for layer, weights in enumerate(text_run.attentions):
        real = trace[f"blocks.{layer}.attn.pattern"].shape[-1]
        differences[f"pattern {layer}"] = worst(trace[f"blocks.{layer}.attn.pattern"], weights[..., :real, :real])
    wrong = {name: f"{value:.1e}" for name, value in differences.items() if not value <= 2e-5}
    return f"parts from transformers: {wrong}" if wrong else ""


def keep(reference, folder):
    """The library's numbers under its own names, which limpid diff knows."""
    tensors = {"logits": reference["logits"]} if "logits" in reference else {}
    for name in ("hidden_states", "attentions"):
        tensors.update({f"{name}.{i}": each for i, each in enumerate(reference.get(name) or ())})
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "reference.safetensors")


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
    if getattr(model.config, "token_dropout", False):
        ids[0, [3, 4, 9]] = model.config.mask_token_id
    with torch.no_grad():
        reference = model(ids, output_attentions=True, output_hidden_states=True)
    keep(reference, folder)
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


EXPORTS = {family: CASES[family] for family in ("gpt2", "gpt_neox", "bert", "bert classes", "bert tokens", "bert alone")}
EXPORTS["llama"] = (*CASES["llama"][:2], CASES["llama"][2][:2])
OWN = {"the built-in model": ("", "GPTNeoXForCausalLM", [[]])}


def main():
    global passed, failed
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=lambda given: pathlib.Path(given).resolve())
    parser.add_argument("families", nargs="*")
    parser.add_argument("--keep", type=pathlib.Path)
    call = parser.parse_args()
    program, wanted = call.program, call.families
    everything = [(check, *case) for case in CASES.items()] + [(check_image, *case) for case in IMAGES.items()] + [(check_tower, *case) for case in TOWERS.items()] + [(check_beside, *case) for case in BESIDE.items()] + \
        [(check_pairs, *case) for case in PAIRS.items()] + \
        [(check_export, "export " + family, case) for family, case in EXPORTS.items()] + [(check_own_export, "export " + what, case) for what, case in OWN.items()]
    for how, family, (config_name, model_name, sets) in everything:
        if wanted and family not in wanted:
            continue
        for i, options in enumerate(sets):
            with tempfile.TemporaryDirectory() as folder:
                if call.keep:
                    folder = call.keep / f"{family.replace(' ', '-')}-{i}"
                    folder.mkdir(parents=True, exist_ok=True)
                what = f"{family}, options {i}"
                try:
                    wrong = how(program, family, config_name, model_name, options, pathlib.Path(folder))
                except Exception as error:  # the library's own
                    wrong = f"transformers: {type(error).__name__}: {error}"
            passed += not wrong
            failed += bool(wrong)
            if wrong:
                print(f"FAILED {what}: {wrong}")
    unknown = sorted(set(wanted) - {family for _, family, _ in everything})
    if unknown:
        print(f"no case is called {', '.join(unknown)}; the cases: {', '.join(family for _, family, _ in everything)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or unknown else 0


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    sys.exit(main())
