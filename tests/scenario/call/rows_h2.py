# SPDX-License-Identifier: Apache-2.0
"""The rows of HTTP/2 (RFC 9113). How they are played, and the peer that misbehaves in frames, is tests/scenario/h2, with the rest about HTTP/2."""
import importlib.util
import os
import subprocess

from matrix import CALLS, GET, NONE, OK, ONCE, POST, TWICE, UNKNOWN, Row

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "h2", "run.py")
spec = importlib.util.spec_from_file_location("h2_scenario", PATH)
h2 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(h2)


def verdict(row, call):
    if row[call] is None:
        return NONE
    if not row["error"]:
        return OK
    if call == POST and row["class"] == "A":
        return UNKNOWN
    return TWICE if row[call] != 1 and row["class"] != "R" else ONCE


def plays(told):
    def scenario(row, bench, claims):
        if subprocess.run([h2.PYTHON, "-c", "import hpack"], capture_output=True).returncode:
            claims.skip("%s: python3-hpack is not installed" % row.id)
            return
        for call in CALLS:
            if told[call] is not None:
                h2.judge_row(claims, told, call, *h2.ask_row(told, call))
    return scenario


def name(row):
    return "_".join([row["scenario"].replace("=", "_").replace(",", "_"), *(str(o).strip("-") for o in row["options"])])


ROWS = [Row(r["number"], name(r), r["fault"], r["error"] or "", r["class"], verdict(r, GET), verdict(r, POST), verdict(r, "keyed"), plays(r),
            "Two tries allowed." if r["error"] else "") for r in h2.ROWS]
