#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/guide/rules.md hold, and weir check --answers says so."""
import os
import re
import subprocess
import sys
import tempfile

WEIR = os.environ["WEIR"]
GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/guide/rules.md")
passed = failed = 0


def check(name, holds, shown=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAILED {name}\n{shown}")


def block(text, words):
    return re.search(r"^```" + words + r"\n(.*?)^```", text, re.S | re.M).group(1)


def weir(directory, answers):
    path = os.path.join(directory, "answers.ndjson")
    with open(path, "w") as f:
        f.write(answers)
    env = dict(os.environ, WEIR_DATA=os.path.join(directory, "data"))
    r = subprocess.run([WEIR, "check", "--answers", path, os.path.join(directory, "c.yaml")], capture_output=True, text=True, env=env, timeout=60)
    return r.returncode, r.stdout, r.stderr


with tempfile.TemporaryDirectory() as directory:
    guide = open(GUIDE).read()
    answers = block(guide, "ndjson answers")
    with open(os.path.join(directory, "c.yaml"), "w") as f:
        f.write(block(guide, "yaml component"))
    code, out, err = weir(directory, answers)
    check("the guide's examples hold", code == 0 and out.count("as expected") == len(answers.splitlines()), out + err)
    for part in ["by system rule 1: fail", "CRM said no seat", "by system rule 3: wait, waits 90.000 s", "by operation rule 1: ok",
                 "by default: 429: wait, waits 2.000 s", "by default: truncated: unknown"]:
        check(part, part in out, out)
    code, out, err = weir(directory, answers.replace('"expect":"skip"', '"expect":"fail"'))
    check("an expectation that does not hold is exit 1", code == 1 and "NOT AS EXPECTED" in out and "skip, not fail" in out, out + err)
    code, out, err = weir(directory, "{\n")
    check("a broken line is told with its number", code == 1 and "answers.ndjson:1: invalid JSON" in err, out + err)

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
