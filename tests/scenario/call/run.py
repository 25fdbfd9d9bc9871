#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fault matrix of API calls, row by row: each fault a real one, met by the real program. docs/reference/faults.md is made from the same rows.

    run.py            every row, many at once
    run.py 21 S429    these rows (a number, or number.name)
    run.py --table    the page
"""
import concurrent.futures
import glob
import importlib
import io
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "tools")]
import matrix  # noqa: E402
import support as s  # noqa: E402
import table  # noqa: E402

AT_ONCE = 16  # rows under way; most of their time they wait for a pause before another try
SLOW_SECONDS = 5  # rows that took longer are named at the end


class Quiet(s.Claims):
    """The claims of one row, printed together: rows run at once."""

    def __init__(self):
        super().__init__()
        self.out = io.StringIO()

    def that(self, is_true, sentence, detail=""):
        if is_true:
            self.passed += 1
            return True
        self.failed += 1
        self.out.write("FAIL  %s%s\n" % (sentence, "".join("\n        " + line for line in str(detail)[:3000].splitlines())))
        return False

    def skip(self, sentence):
        self.skipped += 1
        self.out.write("skip  %s\n" % sentence)


def rows():
    """All rows of all modules beside this file, in the order of the matrix."""
    modules = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "rows_*.py")))
    found = [row for m in modules for row in importlib.import_module(m).ROWS]
    ids = [row.id for row in found]
    if len(ids) != len(set(ids)):
        raise ValueError("two rows with one name: %s" % sorted(i for i in ids if ids.count(i) > 1))
    return sorted(found, key=lambda row: table.order(row.number))


def play(row, bench):
    claims, began = Quiet(), time.monotonic()
    try:
        row.scenario(row, bench, claims)
    except Exception as e:  # noqa: BLE001: the other rows are still worth running
        claims.out.write(traceback.format_exc())
        claims.failed += 1
        claims.out.write("FAIL  row %s runs to its end: %s: %s\n" % (row.id, type(e).__name__, e))
    if claims.passed + claims.failed + claims.skipped == 0:
        claims.failed += 1
        claims.out.write("FAIL  row %s claims something\n" % row.id)
    return row, claims, time.monotonic() - began


def slowest_first(found):
    """A row that waits for long begins early, so that the others fill its time."""
    return sorted(found, key=lambda row: row.name not in matrix.SLOW)


def main():
    found, wanted = rows(), [a for a in sys.argv[1:] if not a.startswith("-")]
    if "--table" in sys.argv:
        sys.stdout.write(table.page(found))
        return 0
    if not os.access(s.WEIR, os.X_OK):
        print("skip: no weir at %s (set WEIR)" % s.WEIR)
        return s.SKIP
    total, slow = s.Claims(), []
    total.that(table.is_fresh(found), "docs/reference/faults.md is as the rows are", "make docs")
    total.equal(table.missing(found), [], "every row of the matrix is here")
    chosen = [r for r in found if not wanted or r.number in wanted or r.id in wanted]
    bench = matrix.Bench()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in concurrent.futures.as_completed([pool.submit(play, row, bench) for row in slowest_first(chosen)]):
            row, claims, seconds = done.result()
            word = "FAIL" if claims.failed else "skip" if claims.skipped and not claims.passed else "ok"
            print("%-5s %-34s %s (%d claims)" % (word, row.id, row.fault, claims.passed + claims.failed), flush=True)
            print(claims.out.getvalue(), end="", flush=True)
            total.passed, total.failed, total.skipped = total.passed + claims.passed, total.failed + claims.failed, total.skipped + claims.skipped
            if seconds > SLOW_SECONDS:
                slow.append("%s %.0f s" % (row.id, seconds))
    bench.close()
    # What a child is said to have used at most begins with what its parent used at most.
    print("%d rows; long ones: %s" % (len(chosen), ", ".join(slow) or "none"))
    return total.closing()


if __name__ == "__main__":
    sys.exit(main())
