"""Small files of arrays for tests of the command, without NumPy: writes .safetensors and .npz, reads .safetensors."""
import array
import io
import json
import math
import struct
import zipfile


def flat(data):
    """The numbers of nested lists, and the lists' sizes."""
    if not isinstance(data, list):
        return [data], []
    numbers, sizes = [], [len(data)]
    for each in data:
        inner, shape = flat(each)
        numbers += inner
    return numbers, sizes + (shape if data else [])


def safetensors(arrays, metadata=None, raw=()):
    """arrays: name -> nested lists, written as F32; raw: (name, dtype, shape, bytes)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    pieces = [(name, "F32", flat(values)[1], struct.pack(f"<{len(flat(values)[0])}f", *flat(values)[0]))
              for name, values in arrays.items()] + list(raw)
    for name, dtype, shape, content in pieces:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensors(path):
    """The F32, I64 and BOOL tensors of a .safetensors file: name -> (sizes, flat numbers)."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack_from("<Q", data)[0]
    out = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + at for at in entry["data_offsets"])
        numbers = array.array({"F32": "f", "I64": "q", "BOOL": "b"}[entry["dtype"]])
        numbers.frombytes(data[begin:end])
        out[name] = (entry["shape"], list(numbers))
    return out


def npy(values=None, descr="<f4", shape=None, content=None):
    if content is None:
        numbers, shape = flat(values)
        content = struct.pack(f"<{len(numbers)}f", *numbers)
    sizes = "".join(f"{n}, " for n in shape)
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + content


def npz(arrays, raw=()):
    """arrays: name -> nested lists; raw: (name in the zip, bytes)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, values in arrays.items():
            file.writestr(name + ".npy", npy(values))
        for name, content in raw:
            file.writestr(name, content)
    return out.getvalue()


NAN, INF = math.nan, math.inf


def gguf_text(text):
    text = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(text)) + text


def gguf(tensors, metadata=(), version=3, alignment=32):
    """tensors: (name, number of the type, sizes outermost first, bytes); metadata: (key, number of the type, bytes)."""
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    header += b"".join(gguf_text(key) + struct.pack("<I", kind) + value for key, kind, value in metadata)
    data = b""
    for name, kind, sizes, content in tensors:
        data += bytes(-len(data) % alignment)
        header += gguf_text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *reversed(sizes), kind, len(data))
        data += content
    return header + bytes(-len(header) % alignment) + data


def gguf_array(kind, elements):
    """The value of an array: its type's number is 9."""
    return struct.pack("<IQ", kind, len(elements)) + b"".join(elements)
