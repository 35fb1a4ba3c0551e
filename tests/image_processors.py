#!/usr/bin/env python3
"""Image processors beside transformers: folders with every kind of preprocessor_config.json, drawn images of many sizes; the
pixels that limpid's network reads must be those of the library's processor (its Pillow backend), number by number.

  build/peers-venv/bin/python tests/image_processors.py build/dev/limpid

Where transformers or Pillow is not installed the test skips (exit status 77): bench/peers/install.sh installs them.
"""
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import transformers
    from PIL import Image
    from safetensors.torch import load_file
    from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
except ImportError as missing:
    print(f"skipped: {missing} (bench/peers/install.sh installs it)")
    sys.exit(77)

# Class, its file (image_processor_type is added), the side of what comes out.
CASES = [
    (ViTImageProcessorPil, {}, 224),
    (ViTImageProcessorPil, dict(size=32), 32),
    (ViTImageProcessorPil, dict(size=dict(height=32, width=32), resample=3, image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]), 32),
    (ViTImageProcessorPil, dict(size=32, resample=0, do_normalize=False), 32),
    (ViTImageProcessorPil, dict(size=32, resample=1, do_rescale=False), 32),
    (ViTImageProcessorPil, dict(size=32, resample=5, rescale_factor=0.01), 32),
    (ViTImageProcessorPil, dict(size=32, resample=4), 32),
    (DeiTImageProcessorPil, {}, 224),
    (DeiTImageProcessorPil, dict(size=40, crop_size=32, resample=3), 32),
    (BeitImageProcessorPil, dict(size=40, do_center_crop=True, crop_size=dict(height=32, width=32)), 32),
    (BeitImageProcessorPil, dict(size=32), 32),
    (CLIPImageProcessorPil, {}, 224),
    (CLIPImageProcessorPil, dict(size=32, crop_size=32), 32),
    (CLIPImageProcessorPil, dict(size=dict(shortest_edge=32), crop_size=dict(height=48, width=48)), 48),
    (SiglipImageProcessorPil, dict(size=dict(height=32, width=32)), 32),
    (SiglipImageProcessorPil, {}, 224),
    (BitImageProcessorPil, dict(size=dict(shortest_edge=40), crop_size=dict(height=32, width=32), image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]), 32),
]
IMAGES = [("RGB", 50, 70), ("RGB", 33, 31), ("RGB", 9, 200), ("L", 40, 64), ("RGBA", 17, 23), ("LA", 60, 20), ("RGB", 300, 241)]


def drawn(mode, height, width, generator):
    channels = len(mode)
    pixels = generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)


def network(folder, side):
    config = transformers.ViTConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=side, patch_size=side // 2)
    with contextlib.redirect_stderr(io.StringIO()):
        transformers.ViTModel(config).save_pretrained(folder)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    transformers.logging.set_verbosity_error()
    generator = np.random.default_rng(1)
    passed = failed = 0
    for maker, options, side in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            network(folder, side)
            file = dict(options, image_processor_type=maker.__name__.removesuffix("Pil"))
            (folder / "preprocessor_config.json").write_text(json.dumps(file))
            processor = maker(**options)
            for mode, height, width in IMAGES:
                image = drawn(mode, height, width, generator)
                image.save(folder / "image.png")
                expected = torch.as_tensor(np.array(processor(image.convert("RGB"))["pixel_values"][0]))
                out = folder / "trace.safetensors"
                done = subprocess.run([program, "trace", folder / "image.png", "--model", folder, "--observe", "pixels", "-o", out], capture_output=True, text=True)
                wrong = done.stderr.strip()
                if done.returncode == 0:
                    got = load_file(out)["pixels"][0]
                    wrong = "" if torch.equal(got, expected) else f"{(got != expected).float().mean():.3%} of the numbers differ, by up to {(got - expected).abs().max():.3g}"
                passed += not wrong
                failed += bool(wrong)
                if wrong:
                    print(f"FAILED {maker.__name__} {options}, {mode} {height} x {width}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
