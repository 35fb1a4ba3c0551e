"""Models of images, and of texts and images, beside transformers."""
import json
import struct
import subprocess
import zlib

import torch
from safetensors.torch import load_file

from transformers_helpers import LENGTH, SMALL, compared, made, worst

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


def write_png(path, pixels):
    """pixels [height, width, channels], bytes"""
    height, width, channels = pixels.shape
    raw = b"".join(b"\0" + bytes(line.flatten().tolist()) for line in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks))


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
