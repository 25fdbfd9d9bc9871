# SPDX-License-Identifier: Apache-2.0
"""docs/reference/faults.md, made from the rows."""
import os
import re

import support as s

PAGE = os.path.join(s.ROOT, "docs", "reference", "faults.md")

SECTIONS = [  # title, numbers that have to be there
    ("Connection", [str(n) for n in range(1, 12)]),
    ("Syntax of the answer", [str(n) for n in range(12, 34)]),
    ("Time and size", [str(n) for n in range(34, 41)]),
    ("Status codes",
     ["S200-299", "S301-302", "S303", "S307-308", "S3xx", "S400", "S401", "S402-403", "S407", "S408", "S409", "S412-428", "S413", "S421",
                      "S423-424", "S425", "S429", "S431", "S500", "S501", "S502-504", "S503", "S520-527"]),
    ("Content of the body", ["B%d" % n for n in range(1, 10)]),
    ("HTTP/2", ["H%d" % n for n in range(1, 9)]),
]

INTRO = """# Faults and what becomes of a call

Made by `make docs` from `tests/scenario/call`, which plays every row against the real program. *Error* is the `type` of the problem that the item
gets. *Class*: **N** never sent, **A** may have been processed, **R** a whole answer came. The last three columns say what becomes of the call when
the fault persists, with three tries allowed: *3 tries* and *2 tries* end with the error; *unknown outcome* is sent once and then for a person to
decide; a POST with an idempotency key goes out with the same key and the same bytes each time. PUT, DELETE, HEAD and OPTIONS go as GET does, and so
does what is marked `repeatable`; PATCH goes as POST.
"""


STATUSES = SECTIONS[3][1]


def order(number):
    """12 before S429 before B1 before H1; statuses as the matrix lists them."""
    kind, first = re.match(r"([A-Z]?)(\d+)", number).groups()
    place = STATUSES.index(number) if kind == "S" and number in STATUSES else int(first)
    return ["", "S", "B", "H"].index(kind), place, number


def section(row):
    kind, first, _ = order(row.number)
    return {0: 0 if first <= 11 else 1 if first <= 33 else 2, 1: 3, 2: 4, 3: 5}[kind]


def cell(text):
    return text.replace("|", "\\|")


def page(rows):
    out = [INTRO]
    for i, (title, _) in enumerate(SECTIONS):
        mine = [r for r in rows if section(r) == i]
        if not mine:
            continue
        out.append("\n## %s\n\n| # | fault | scenario | error | class | GET | POST | POST with key |\n|---|---|---|---|---|---|---|---|\n" % title)
        for r in mine:
            note = " %s" % r.note if r.note else ""
            fault = "**%s.**%s" % (cell(r.fault), cell(note)) if note else cell(r.fault)
            out.append("| %s | %s | `%s` | %s | %s | %s | %s | %s |\n" % (r.number, fault, r.name, "`%s`" % r.error if r.error else "", r.certainty,
                                                                          r.get, r.post, r.keyed))
    return "".join(out)


def is_fresh(rows):
    try:
        with open(PAGE, encoding="utf-8") as f:
            return f.read() == page(rows)
    except FileNotFoundError:
        return False


def missing(rows):
    have = {r.number for r in rows}
    return [n for _, numbers in SECTIONS for n in numbers if n not in have]
