#!/usr/bin/env python3
"""limpid explore, as a browser and as others meet it: answers are what the other commands print, and nobody else gets one.

  tests/cli_explore_test.py build/dev/limpid

LIMPID_HOSTILE=N asks N malformed requests and drops N / 10 connections (1,000 and 100 without it).
"""
import array
import concurrent.futures
import http.client
import random
import signal
import socket
import struct
import time

from cli_helpers import *

HOSTILE = int(os.environ.get("LIMPID_HOSTILE", "1000"))
SLOW = 8 if SANITIZED else 1


class Served:
    """A running `limpid explore`."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "explore", "--no-open", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=WORK.name,
                                        env=clean_environment())
        line = self.process.stdout.readline().decode()
        found = re.fullmatch(r"limpid explore: http://127\.0\.0\.1:(\d+)/([0-9a-f]{32})/\n", line)
        if not found:
            raise AssertionError(line + self.process.stderr.read().decode())
        self.port, self.token = int(found[1]), found[2]

    def __enter__(self):
        return self

    def __exit__(self, kind=None, *_):
        """Throws where it ends otherwise than it should: a sanitizer says at the end what leaked."""
        ended = (0, "")
        try:
            if self.process.poll() is None:
                ended = self.stop()
        finally:
            self.process.stdout.close()
            self.process.stderr.close()
        if kind is None and ended != (0, ""):
            raise AssertionError(f"limpid explore ended with {ended[0]}: {ended[1]}")

    def stop(self, how=signal.SIGINT):
        """The exit status after Ctrl-C, and what stood on standard error."""
        self.process.send_signal(how)
        status = self.process.wait(timeout=10 * SLOW)
        return status, self.process.stderr.read().decode()

    def call(self, method, path, body=None, headers=None, host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            given = dict(headers or {})
            if body is not None:
                given.setdefault("Content-Length", str(len(body)))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def get(self, name="", **more):
        return self.call("GET", f"/{self.token}/{name}", **more)

    def post(self, request, headers=None, **more):
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        given = {"Content-Type": "application/json"} if headers is None else headers
        return self.call("POST", f"/{self.token}/ask", body, given, **more)

    def ask(self, **request):
        status, headers, body = self.post(request)
        assert status == 200, (status, body)
        assert headers["Content-Type"] == "application/octet-stream"
        return read_answer(body)


class Explore(Case):
    @classmethod
    def setUpClass(cls):
        cls.served = Served("Life is short")
        cls.traced = json.loads(limpid("trace", "Life is short", "--json").stdout)

    @classmethod
    def tearDownClass(cls):
        cls.served.__exit__()

    def flat(self, value):
        return [n for part in value for n in self.flat(part)] if isinstance(value, list) else [value]

    # ---- a user's calls ----------------------------------------------------------------------------

    def test_the_page_is_served_whole_and_guarded(self):
        status, headers, body = self.served.get()
        self.assertEqual(status, 200)
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
            self.assertIn(part, policy)
        self.assertFalse("unsafe" in policy.replace("'wasm-unsafe-eval'", ""))  # it compiles the engine, and no script
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        page = body.decode()
        self.assertFalse(re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|javascript:", page), "a script stands in the page")
        named = re.findall(r'(?:src|href)="([^"]+)"', page)
        self.assertTrue(named)
        for name in named:
            self.assertFalse(re.match(r"[a-z]+:|//|/", name), name)
            status, headers, body = self.served.get(name)
            self.assertEqual(status, 200, name)
            self.assertTrue(body, name)
            # A browser takes compressed files too; made at each request, they come later than plain ones.
            status, headers, same = self.served.get(name, headers={"Accept-Encoding": "gzip, deflate, br"})
            self.assertEqual((status, same), (200, body), name)
            self.assertFalse("Content-Encoding" in headers, name)

    def test_answers_are_what_trace_prints(self):
        fields, arrays = self.served.ask(ask="tokens")
        self.assertEqual(fields["labels"], [token["label"] for token in self.traced["tokens"]])
        self.assertEqual(arrays["ids"], [token["id"] for token in self.traced["tokens"]])
        for name in ("blocks.0.attn.pattern", "blocks.2.attn.q", "blocks.3.resid_post", "logits"):
            fields, arrays = self.served.ask(ask="window", name=name)
            value = self.traced["values"][name]
            expected = self.flat(value["data"] if isinstance(value, dict) else value)
            self.assertEqual(len(arrays["numbers"]), len(expected))
            for seen, number in zip(arrays["numbers"], expected):
                self.assertTrue(abs(seen - number) <= 1e-6 * max(1, abs(number)), (name, seen, number))

    def test_explain_is_what_explain_prints(self):
        cell = "blocks.1.attn.pattern[0,2,2,1]"
        expected = json.loads(self.ok("explain", cell, "--text", "Life is short", "--json"))[0]
        fields, arrays = self.served.ask(ask="explain", cell=cell)
        told = fields["cells"][0]
        for key in ("name", "index", "value", "combined", "equation", "caption", "words"):
            self.assertEqual(told[key], expected[key], key)

    def test_an_edit_is_what_trace_says_of_it(self):
        edit = "blocks.1.attn.z[H=2]=zero"
        expected = json.loads(self.ok("trace", "Life is short", "--edit", edit, "--json"))["before_after"]
        with Served("Life is short") as served:
            fields, _ = served.ask(ask="open", edits=[edit])
            self.assertEqual(fields["edited"], [edit])
            fields, arrays = served.ask(ask="compare", count=5)
            told = dict(zip(arrays["ids"], zip(arrays["before"], arrays["after"])))
            for candidate in expected["next"]:
                self.assertEqual(told[candidate["place"]], (candidate["before"], candidate["after"]))
            self.assertEqual(fields["values"], expected["values"])

    def test_generate_and_lens_are_the_commands(self):
        with Served("Once upon a time") as served:
            fields, arrays = served.ask(ask="generate", tokens=8)
            whole = self.ok("generate", "Once upon a time", "--tokens", "8")
            self.assertTrue(whole.startswith(fields["text"][:len(whole.rstrip("\n"))]), (whole, fields["text"]))
        expected = json.loads(self.ok("lens", "Life is short", "--json"))
        fields, arrays = self.served.ask(ask="attribution")
        self.assertEqual(list(zip(fields["parts"], arrays["logits"])),
                         [(part["name"], part["logit"]) for part in expected["parts"]])

    def test_figures_and_traces_are_the_commands_files(self):
        self.ok("draw", "token", "--text", "Life is short", "-o", path("token.svg"))
        fields, arrays = self.served.ask(ask="figure", figure="token")
        self.assertEqual(bytes(arrays["file"]), read("token.svg"))
        self.ok("trace", "Life is short", "-o", path("life.safetensors"))
        fields, arrays = self.served.ask(ask="trace")
        self.assertEqual(bytes(arrays["file"]), read("life.safetensors"))

    def test_a_training_run_shows_its_log(self):
        os.makedirs(path("run"), exist_ok=True)
        write("run/log.jsonl", '{"epoch": 1, "loss": 3.5}\n{"epoch": 2, "loss": 2.5}\n')
        with Served("--run", path("run")) as served:
            fields, arrays = served.ask(ask="training")
            self.assertEqual((fields["title"], arrays["loss"]), ("run", [3.5, 2.5]))

    def test_the_folder_of_a_run_opens_its_model_and_what_it_watched(self):
        write("run.txt", "Life is short and art is long\n" * 20)
        write("run.json", json.dumps({
            "network": {"network": "gpt", "layers": 2, "heads": 2, "width": 16, "context": 16}, "data": ["run.txt"],
            "context": 8, "steps": 20, "epoch": 10, "watch": ["art is short", "long"]}))
        self.ok("train", path("run.json"), "-o", path("watching"))
        with Served(path("watching")) as served:
            fields, arrays = served.ask(ask="training")
            reports = [json.loads(line) for line in open(path("watching/log.jsonl"))]
            self.assertEqual((fields["title"], fields["steps"], fields["finished"]), ("watching", 20, True))
            self.assertEqual(arrays["loss"], [report["loss"] for report in reports])
            self.assertEqual([(w["step"], w["text"]) for w in fields["watched"]],
                             [(step, text) for text in (0, 1) for step in (0, 10, 20)])
            opened, _ = served.ask(ask="tokens")
            self.assertEqual((opened["text"], opened["models"], opened["training"]),
                             ("art is short", ["watching", "built-in"], "watching"))
            _, now = served.ask(ask="window", name="blocks.1.attn.pattern")
            _, then = served.ask(ask="training", step=20, text=0)
            best = max(reports, key=lambda report: report["step"] if report["best"] else -1)
            if best["step"] == 20:
                self.assertEqual(now["numbers"], then["blocks.1.attn"])
        # Without the model that ends a run: as it is while the run goes on.
        os.remove(path("watching/model.safetensors"))
        with Served("art", "--run", path("watching")) as served:
            fields, _ = served.ask(ask="training")
            self.assertEqual((fields["finished"], fields["steps"], fields["stopped"]["step"]), (False, 20, 20))
            self.assertEqual(served.ask(ask="tokens")[0]["text"], "art")
            self.assertIn("after step 20", served.ask(ask="tokens")[0]["model"]["title"])
            served.ask(ask="open", text="art is short")
            _, now = served.ask(ask="window", name="blocks.0.attn.pattern")
            _, then = served.ask(ask="training", step=20, text=0)
            self.assertEqual(now["numbers"], then["blocks.0.attn"])

    def test_a_run_that_was_stopped_says_so_and_goes_on(self):
        write("stopped.txt", "Life is short and art is long\n" * 20)
        write("stopped.json", json.dumps({
            "network": {"network": "gpt", "layers": 1, "heads": 2, "width": 16, "context": 16}, "data": ["stopped.txt"], "validation": 0,
            "context": 8, "steps": 1000000, "epoch": 20}))
        call = ["train", "stopped.json", "-o", "stopped"]
        for how in (signal.SIGINT, signal.SIGKILL):
            resumed = ["--resume"] if how == signal.SIGKILL else []
            training = subprocess.Popen([PROGRAM, *call, *resumed, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=WORK.name,
                                        env=clean_environment())
            for _ in range(2):
                training.stdout.readline()
            with Served(path("stopped")) as served:
                fields, _ = served.ask(ask="training")
                self.assertEqual((fields["finished"], "stopped" in fields), (False, False))
                again = limpid(*call, "--resume")
                self.assertEqual(again.returncode, 2)
                self.assertIn("another process trains into this folder", again.stderr)
                training.send_signal(how)
                training.communicate()
                fields, _ = served.ask(ask="training")
                self.assertEqual((fields["finished"], fields["steps"], fields["stopped"]["command"]),
                                 (False, 1000000, "limpid train stopped.json -o stopped --resume"))
                self.assertGreaterEqual(fields["stopped"]["step"], 20)
                if how == signal.SIGINT:
                    told = re.search(r"stopped at step (\d+);", " ".join(limpid(*call).stderr.split()))
                    self.assertEqual(int(told[1]), fields["stopped"]["step"])
        self.ok(*call, "--resume", "--steps", str(fields["stopped"]["step"] + 1))
        with Served(path("stopped")) as served:
            fields, _ = served.ask(ask="training")
            self.assertEqual((fields["finished"], "stopped" in fields), (True, False))

    def test_a_folder_without_a_run_is_no_run(self):
        self.refused(1, "no such folder", "explore", "--no-open", "--run", path("nowhere"))
        self.refused(1, "no log.jsonl", "explore", "--no-open", "--run", WORK.name)

    def test_calls_are_repaired(self):
        self.refused(2, "--port is 70000", "explore", "--no-open", "--port", "70000")
        self.refused(1, "give another as --port", "explore", "--no-open", "--port", str(self.served.port))
        self.refused(2, "--limit is 0", "explore", "--no-open", "--limit", "0")
        self.refused(1, "nowhere", "explore", "--no-open", "--model", path("nowhere.safetensors"))
        self.refused(2, "empty", "explore", "--no-open", "")
        self.refused(2, "exclude each other", "explore", "--no-open", "a", "--tokens", "1,2")
        self.refused(2, "token 9999999 is not there", "explore", "--no-open", "--tokens", "1,9999999")
        with Served("--tokens", "7,5,9") as served:
            self.assertEqual(served.ask(ask="tokens")[1]["ids"], [7, 5, 9])

    def test_every_question_is_in_the_document(self):
        with open(os.path.join(SOURCE, "docs/explore-protocol.md")) as file:
            table = file.read().split("\n## Questions\n")[1].split("\n### ")[0]
        described = re.findall(r"^\| `(\w+)` \|", table, re.M)
        fields, _ = self.served.ask(ask="")
        self.assertEqual(fields["error"]["message"].split("expected one of ")[1].split(", "), described)

    # ---- others ------------------------------------------------------------------------------------

    def test_other_hosts_origins_and_sites_are_refused(self):
        question = {"ask": "tokens"}
        json_type = {"Content-Type": "application/json"}
        port = self.served.port
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"127.0.0.1.evil.example:{port}",
                     f"[::1]:{port}", f"localhost.:{port}"):
            self.assertEqual(self.served.post(question, host=host)[0], 403, host)
            self.assertEqual(self.served.get(host=host)[0], 403, host)
        for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", "http://127.0.0.1",
                       f"http://127.0.0.1:{port}.evil.example", f"http://evil.example:{port}"):
            self.assertEqual(self.served.post(question, dict(json_type, Origin=origin))[0], 403, origin)
        for site in ("cross-site", "same-site"):
            self.assertEqual(self.served.post(question, dict(json_type, **{"Sec-Fetch-Site": site}))[0], 403, site)
        for more in ({"Origin": f"http://127.0.0.1:{port}"}, {"Origin": f"http://localhost:{port}"}, {"Sec-Fetch-Site": "same-origin"}):
            self.assertEqual(self.served.post(question, dict(json_type, **more))[0], 200, more)
        self.assertEqual(self.served.post(question, host=f"localhost:{port}")[0], 200)

    def test_without_the_token_nothing_is_answered(self):
        body, json_type = b'{"ask":"tokens"}', {"Content-Type": "application/json"}
        wrong = "0" * 32 if self.served.token[0] != "0" else "1" * 32
        for where in ("/", "/ask", "//ask", f"/{wrong}/ask", f"/{self.served.token[:-1]}/ask", f"/{self.served.token}0/ask",
                      f"/{self.served.token.upper()}/ask" if re.search("[a-f]", self.served.token) else "/x",
                      f"/{self.served.token}", f"/?{self.served.token}/"):
            for method, content in (("GET", None), ("POST", body)):
                status, _, answer = self.served.call(method, where, content, json_type)
                self.assertEqual(status, 403, (method, where))
                self.assertFalse(self.served.token.encode() in answer)

    def test_only_the_page_and_questions_are_there(self):
        for name in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "index.html%00", "page",
                     "index.html/", "./index.html", "ask/", "INDEX.HTML"):
            self.assertEqual(self.served.get(name)[0], 404, name)
        self.assertEqual(self.served.get("ask")[0], 405)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            status, headers, _ = self.served.call(method, f"/{self.served.token}/ask", b"{}", {"Content-Type": "application/json"})
            self.assertTrue(status in (400, 405), (method, status))
            self.assertFalse(any(name.lower().startswith("access-control") for name in headers), headers)
        self.assertEqual(self.served.get("index.html", headers={"Range": "bytes=0-1,1-2"})[0], 400)

    def test_bodies_are_small_plain_json(self):
        body = b'{"ask":"tokens"}'
        json_type = {"Content-Type": "application/json"}
        for more, status in (({"Content-Type": "text/plain"}, 415), ({}, 415), (dict(json_type, **{"Content-Encoding": "gzip"}), 415),
                             ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
                             (dict(json_type, **{"Content-Length": str(1 << 40)}), 413),
                             (dict(json_type, **{"Content-Length": str((1 << 20) + 1)}), 413),
                             (dict(json_type, **{"Content-Length": "-1"}), 411), (dict(json_type, **{"Transfer-Encoding": "chunked"}), 411)):
            self.assertEqual(self.served.post(body, more)[0], status, more)
        fields, _ = read_answer(self.served.post(b"x" * (1 << 20))[2])
        self.assertIn("it is not JSON", fields["error"]["message"])

    def test_it_listens_on_loopback_alone(self):
        addresses = {"127.0.0.2"}
        try:
            addresses |= {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        except OSError:
            pass
        for address in addresses - {"127.0.0.1"}:
            with self.assertRaises(OSError, msg=address):
                socket.create_connection((address, self.served.port), timeout=2).close()

    def test_malformed_requests_and_dropped_connections_end_nothing(self):
        draw = random.Random(11)
        head = f"POST /{self.served.token}/ask HTTP/1.1\r\nHost: 127.0.0.1:{self.served.port}\r\n".encode()
        seeds = [b'{"id":1,"ask":"window","name":"blocks.0.attn.q","from":[0,1,2,3],"size":[1,2,1,4]}',
                 b'{"ask":"next","count":4,"temperature":0.5,"top_k":3}', b'{"ask":"tile","attention":"blocks.0.attn","queries":[0,3],"keys":[0,2]}',
                 b'{"ask":"explain","cell":"blocks.1.attn.scores[0,3,2,1]"}', b'{"ask":"lens","position":-1}']

        def malformed(i):
            body = bytearray(draw.choice(seeds))
            for _ in range(draw.randint(1, 4)):
                at = draw.randrange(len(body))
                body[at:at + draw.randint(0, 3)] = bytes(draw.randrange(256) for _ in range(draw.randint(0, 3)))
                body = body or bytearray(b" ")
            return bytes(body)

        def raw(data, wait):
            with socket.create_connection(("127.0.0.1", self.served.port), timeout=60) as connection:
                try:
                    connection.sendall(data)
                    if wait:
                        connection.recv(1 << 16)
                except OSError:
                    pass

        answered = 0
        for i in range(HOSTILE):
            if i % 10 == 9:  # not HTTP, or not quite
                request = bytearray(head + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
                for _ in range(draw.randint(1, 8)):
                    request[draw.randrange(len(request))] = draw.randrange(256)
                raw(bytes(request)[:draw.randint(1, len(request))] + b"\r\n\r\n", False)
                continue
            status, _, body = self.served.post(malformed(i))
            self.assertEqual(status, 200)
            answered += "error" in read_answer(body)[0]
        self.assertGreater(answered, HOSTILE // 3)
        for i in range(HOSTILE // 10):  # cut off in the head, in the body, before the answer
            body = draw.choice(seeds)
            whole = head + b"Content-Type: application/json\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
            raw(whole[:draw.randint(0, len(whole))], False)
        self.assertIsNone(self.served.process.poll())
        fields, _ = self.served.ask(ask="tokens")
        self.assertEqual(fields["text"], "Life is short")

    def test_a_slow_caller_holds_nobody_up(self):
        slow = [socket.create_connection(("127.0.0.1", self.served.port), timeout=10) for _ in range(4)]
        try:
            for connection in slow:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: 127")
            begun = time.monotonic()
            self.served.ask(ask="tokens")
            self.assertLess(time.monotonic() - begun, 3 * SLOW)
        finally:
            for connection in slow:
                connection.close()

    def test_many_at_once_get_their_own_answers(self):
        names = ["blocks.0.attn.q", "blocks.1.attn.k", "blocks.2.mlp.post", "logits"]
        alone = {name: self.served.ask(ask="window", name=name)[1]["numbers"] for name in names}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for name, (fields, arrays) in zip(names * 8, pool.map(lambda name: self.served.ask(ask="window", name=name), names * 8)):
                self.assertEqual((fields["name"], arrays["numbers"]), (name, alone[name]))

    # ---- time, and the end -------------------------------------------------------------------------

    def test_a_question_that_takes_too_long_ends(self):
        with Served("--limit", "0.3", "--tokens", ",".join(["5"] * 30000)) as served:
            fields, _ = served.ask(ask="window", name="blocks.3.resid_post", size=[1, 1, 1])
            self.assertEqual(fields["error"]["kind"], "work")
            self.assertIn("longer than 0.3 seconds", fields["error"]["message"])
            for _ in range(20):  # a busy machine may take as long for a short one
                fields, _ = served.ask(ask="open", text="Life")
                if "error" not in fields:
                    break
            self.assertEqual(fields["text"], "Life")

    def test_ctrl_c_ends_it_cleanly(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            with Served() as served:
                served.ask(ask="next")
                begun = time.monotonic()
                self.assertEqual(served.stop(how), (0, ""))
                self.assertLess(time.monotonic() - begun, 3 * SLOW)

    def test_ctrl_c_ends_a_question_that_is_worked_on(self):
        with Served() as served:
            served.ask(ask="open", tokens=[5] * 30000)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                working = pool.submit(served.post, {"ask": "window", "name": "blocks.3.resid_post", "size": [1, 1, 1]})
                time.sleep(0.5)
                self.assertFalse(working.done(), "it was to take longer")
                begun = time.monotonic()
                self.assertEqual(served.stop(), (0, ""))
                self.assertLess(time.monotonic() - begun, 8 * SLOW)
                try:  # told, where the run comes to its next stage in time; else cut off
                    self.assertIn("the server stops", read_answer(working.result()[2])[0]["error"]["message"])
                except (http.client.HTTPException, OSError):
                    pass


if __name__ == "__main__":
    sys.exit(run_cases(__name__))
