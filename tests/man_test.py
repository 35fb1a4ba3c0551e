#!/usr/bin/env python3
"""The manual page: every command and option of the help is in it, and no formatter has a complaint.

  tests/man_test.py PROGRAM
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
ROOT = pathlib.Path(__file__).resolve().parent.parent


def output(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=True, **more).stdout


class Man(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.file = f"{cls.folder.name}/limpid.1"
        output(sys.executable, str(ROOT / "docs/man.py"), PROGRAM, "-o", cls.file)
        text = pathlib.Path(cls.file).read_text()
        cls.page = text.replace("\\-", "-").replace("\\e", "\\")
        cls.sections = {part.split("\n", 1)[0]: part for part in cls.page.split("\n.SS ")[1:]}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_command_and_option_of_the_help(self):
        overview = output(PROGRAM, "--help")
        commands = set(re.findall(r"^  limpid ([a-z]+)", overview, flags=re.M))
        self.assertGreaterEqual(len(commands), 6)
        self.assertEqual(set(self.sections), commands)
        for option in re.findall(r"^  (--[a-z-]+)", overview, flags=re.M):
            self.assertIn(f"\\fB{option}", self.page)
        for command in commands:
            options = re.findall(r"^  (-[^ ]*)", output(PROGRAM, command, "--help"), flags=re.M)
            self.assertGreaterEqual(len(options), 2, command)
            for option in options:
                self.assertRegex(self.sections[command], rf"\\fB{re.escape(option)}( |\\)", f"{command} {option}")

    def test_formatters_are_silent(self):
        ran = 0
        for command in (["groff", "-man", "-Tutf8", "-ww", self.file], ["mandoc", "-T", "lint", "-W", "warning", self.file]):
            if not shutil.which(command[0]):
                continue
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), command[0])
            if command[0] == "mandoc":
                self.assertEqual(done.stdout, "")
            else:
                self.assertIn("limpid", done.stdout)
            ran += 1
        if not ran:
            self.skipTest("neither groff nor mandoc is installed")

    def test_text_that_roff_would_read_as_a_request(self):
        sys.path.insert(0, str(ROOT / "docs"))
        import man
        self.assertEqual(man.roff(".npy files"), "\\&.npy files")
        self.assertEqual(man.roff("a\\b --c"), "a\\eb \\-\\-c")


if __name__ == "__main__":
    unittest.main()
