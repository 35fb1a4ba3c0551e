#!/bin/sh
# Installs the Python peers into build/peers-venv: PyTorch, ONNX Runtime, OpenVINO, at the versions of
# requirements.txt.  PyTorch from the Python registry comes with libraries for GPUs: about 3 GB to load.
set -eu
cd "$(dirname "$0")/../.."
venv=build/peers-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet -r bench/peers/requirements.txt
"$venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
for name in ("torch", "onnxruntime", "openvino"):
    print(name, version(name))
PYTHON
