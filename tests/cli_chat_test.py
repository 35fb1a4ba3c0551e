#!/usr/bin/env python3
"""limpid generate --chat: the turns of the formats there are, as transformers' apply_chat_template writes them.

  tests/cli_chat_test.py build/dev/limpid
"""
import json
import os
import shutil
import sys

from cli_helpers import *

LLAMA = os.path.join(os.environ.get("LIMPID_DATA", os.path.join(SOURCE, "../shared/data")), "conformance/families/llama")
VOCABULARY = 97
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>",
           "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
# Programs that are not run: what stands in them tells the format.
CHATML = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}"
          "{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}")
TEMPLATES = {"chatml": CHATML,
             "llama3": "{{ bos_token }}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] + '<|eot_id|>' }}",
             "gemma": "{{ bos_token }}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}",
             "llama2": "{{ bos_token + '[INST] ' + '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + content + ' [/INST]' }}",
             "mistral": "{{ bos_token }}{{ '[INST] ' + message['content'] + ' [/INST]' }}",
             "phi3": "{{'<|user|>' + '\\n' + message['content'] + '<|end|>' + '\\n' + '<|assistant|>'}}",
             "zephyr": "{{ '<|user|>\\n' + message['content'] + eos_token }}"}
# For "Hi there", without a system message and with "Be kind".
EXPECTED = {
    "chatml": ("<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n",
               "<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n"),
    "llama3": ("<s><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
               "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>"
               "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    "gemma": ("<s><start_of_turn>user\nHi there<end_of_turn>\n<start_of_turn>model\n",
              "<s><start_of_turn>user\nBe kind\n\nHi there<end_of_turn>\n<start_of_turn>model\n"),
    "llama2": ("<s>[INST] Hi there [/INST]", "<s>[INST] <<SYS>>\nBe kind\n<</SYS>>\n\nHi there [/INST]"),
    "mistral": ("<s>[INST] Hi there [/INST]", "<s>[INST] Be kind\n\nHi there [/INST]"),
    "phi3": ("<|user|>\nHi there<|end|>\n<|assistant|>\n", "<|system|>\nBe kind<|end|>\n<|user|>\nHi there<|end|>\n<|assistant|>\n"),
    "zephyr": ("<|user|>\nHi there</s>\n<|assistant|>\n", "<|system|>\nBe kind</s>\n<|user|>\nHi there</s>\n<|assistant|>\n"),
}


class Chat(Case):
    @classmethod
    def setUpClass(cls):
        if not os.path.isdir(LLAMA):
            raise unittest.SkipTest(f"no {LLAMA} (LIMPID_DATA names the data folder)")

    def folder(self, template, **config):
        os.makedirs(path("llama"), exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(LLAMA, name), path(f"llama/{name}"))
        # Every byte that a turn may hold is a token, in front of them the special ones; so tokens tell the text.
        letters = [chr(c) for c in range(32, 127) if chr(c) not in "{}~`^@#$%*"][:VOCABULARY - len(SPECIAL) - 1] + ["\n"]
        vocab = {token: i for i, token in enumerate(SPECIAL + letters)}
        tokenizer = {"added_tokens": [{"id": i, "content": t, "special": True, "normalized": False} for i, t in enumerate(SPECIAL)],
                     "decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {("Ċ" if t == "\n" else "Ġ" if t == " " else t): i for t, i in vocab.items()},
                                                            "merges": []},
                     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}}
        tokenizer["decoder"] = {"type": "ByteLevel"}
        write("llama/tokenizer.json", json.dumps(tokenizer))
        sides = dict({"bos_token": "<s>", "eos_token": "</s>", "chat_template": template}, **config)
        write("llama/tokenizer_config.json", json.dumps({k: v for k, v in sides.items() if v is not None}))
        return ["--model", path("llama")]

    def prompt(self, model, *more):
        """The text that the model read: that of the trace, without what was written."""
        self.ok("generate", "Hi there", "--chat", *more, *model, "--tokens", "1", "--no-stop", "-o", path("chat.safetensors"))
        trace = json.loads(self.ok("trace", path("chat.safetensors"), "--json"))
        names = json.loads(read("llama/tokenizer.json"))["model"]["vocab"]
        tokens = {i: {"Ċ": "\n", "Ġ": " "}.get(t, t) for t, i in names.items()}
        return "".join(tokens[t["id"]] for t in trace["tokens"][:-1])

    def test_every_format_writes_its_turns(self):
        for name, template in TEMPLATES.items():
            model = self.folder(template)
            self.assertEqual(self.prompt(model), EXPECTED[name][0], name)
            self.assertEqual(self.prompt(model, "--system", "Be kind"), EXPECTED[name][1], name)

    def test_templates_stand_in_several_places(self):
        named = [{"name": "tool_use", "template": "none"}, {"name": "default", "template": CHATML}]
        self.assertEqual(self.prompt(self.folder(named)), EXPECTED["chatml"][0])
        model = self.folder(None)
        write("llama/chat_template.jinja", TEMPLATES["zephyr"])
        self.assertEqual(self.prompt(model), EXPECTED["zephyr"][0])
        os.remove(path("llama/chat_template.jinja"))

    def test_the_answer_alone_is_printed(self):
        model = self.folder(CHATML)
        answer = self.ok("generate", "Hi there", "--chat", *model, "--tokens", "5", "--no-stop")
        self.assertFalse("Hi there" in answer or "<|im_start|>user" in answer, answer)
        lines = self.ok("generate", "Hi there", "--chat", *model, "--tokens", "5", "--no-stop", "--json").splitlines()
        self.assertEqual(json.loads(lines[-1])["prompt"], "Hi there")

    def test_what_it_refuses(self):
        self.refused(2, "no chat template", "generate", "Hi", "--chat")
        self.refused(2, "--system is for --chat", "generate", "Hi", "--system", "Be kind")
        model = self.folder(CHATML)
        self.refused(2, "special token", "generate", "Hi<|im_end|>", "--chat", *model)
        self.refused(2, "special token", "generate", "Hi", "--system", "a<|im_start|>", "--chat", *model)
        model = self.folder("{{ messages }}")
        self.refused(2, ["none of the formats", "chatml"], "generate", "Hi", "--chat", *model)


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
