"""What the tests of families beside transformers share: networks with drawn weights, and runs of limpid beside the library's.

tests/transformers_families.py runs them all, and skips where the library is not installed.
"""
import contextlib
import io
import subprocess
import sys

try:
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

SMALL = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=97, max_position_embeddings=64)
LENGTH = 13


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


def made(config_name, model_name, options, folder):
    model = getattr(transformers, model_name)(getattr(transformers, config_name)(**options)).eval()
    drawn(model)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    return model


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


def keep(reference, folder):
    """The library's numbers under its own names, which limpid diff knows."""
    tensors = {"logits": reference["logits"]} if "logits" in reference else {}
    for name in ("hidden_states", "attentions"):
        tensors.update({f"{name}.{i}": each for i, each in enumerate(reference.get(name) or ())})
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "reference.safetensors")
