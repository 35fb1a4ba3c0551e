"""Decoders beside transformers: logits, attention weights, and of some the text that they write."""
import contextlib
import io
import json
import subprocess

import torch
import transformers
from safetensors.torch import load_file

from transformers_helpers import LENGTH, SMALL, drawn, keep, worst

LLAMA = dict(SMALL, num_key_value_heads=2)
XGLM = dict(d_model=32, ffn_dim=37, num_layers=2, attention_heads=4, vocab_size=97, max_position_embeddings=64)
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
}

# Of these the text that they write is compared too.
WRITES = {"gpt_oss", "mixtral", "qwen3_moe", "olmoe"}


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
