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
import pathlib
import sys
import tempfile

import transformers_helpers  # first: it says what is not installed
import transformers_beside
import transformers_decoders
import transformers_encoders
import transformers_exports
import transformers_images


def cases():
    """(how it is compared, the family's name, (class of the configuration, class of the model, sets of options))"""
    images, exports = transformers_images, transformers_exports
    all_of = [(transformers_decoders.check, transformers_decoders.CASES), (transformers_decoders.check, transformers_encoders.CASES),
              (images.check_image, images.IMAGES), (images.check_tower, images.TOWERS), (transformers_beside.check, transformers_beside.CASES),
              (images.check_pairs, images.PAIRS), (exports.check_export, exports.EXPORTS), (exports.check_own_export, exports.OWN)]
    return [(how, name, case) for how, table in all_of for name, case in table.items()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=lambda given: pathlib.Path(given).resolve())
    parser.add_argument("families", nargs="*")
    parser.add_argument("--keep", type=pathlib.Path)
    call = parser.parse_args()
    program, wanted = call.program, call.families
    passed = failed = 0
    everything = cases()
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
    transformers_helpers.transformers.logging.set_verbosity_error()
    sys.exit(main())
