#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally.py REPORT...: one line that counts every test of the JUnit files given.

A ctest entry is a program with many claims inside; counting programs would hide how much was tested, so the closing lines of cmocka
and of the scenario suites are added up instead. Entries that print neither count as one. REPORT may also be "LABEL=PASSED,FAILED,SKIPPED".
Exit code 1 when anything failed or nothing was run.
"""
import re
import sys
import xml.etree.ElementTree as ET


def of_entry(case):
    """(passed, failed, skipped) of one ctest entry."""
    text = "".join(e.text or "" for e in case.iter("system-out"))
    status = case.get("status", "run")
    is_skipped = status in ("notrun", "disabled") or case.find("skipped") is not None
    is_failed = status == "fail" or case.find("failure") is not None
    if is_skipped and not is_failed:
        return 0, 0, 1
    passed = failed = skipped = 0
    for m in re.finditer(r"^\[  PASSED  \] (\d+) test\(s\)", text, re.M):
        passed += int(m[1])
    for m in re.finditer(r"^\[  FAILED  \] (\d+) test\(s\)", text, re.M):
        failed += int(m[1])
    for m in re.finditer(r"^\[  SKIPPED \] (\d+) test\(s\)", text, re.M):
        skipped += int(m[1])
    closing = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.M)
    if closing:
        passed += int(closing[-1][0])
        failed += int(closing[-1][1])
        skipped += int(closing[-1][2] or 0)
    if not passed and not failed and not skipped:
        return (0, 1, 0) if is_failed else (1, 0, 0)
    # A crash, a leak or a time-out after the last claim: the entry fails though no claim did.
    if is_failed and failed == 0:
        failed = 1
    return passed, failed, skipped


def main():
    total = [0, 0, 0]
    bad = []
    for report in sys.argv[1:]:
        if "=" in report and re.fullmatch(r"[^=]+=\d+,\d+,\d+", report):
            counts = [int(x) for x in report.split("=")[1].split(",")]
            total = [a + b for a, b in zip(total, counts)]
            if counts[1]:
                bad.append(report.split("=")[0])
            continue
        try:
            root = ET.parse(report).getroot()
        except (OSError, ET.ParseError) as e:
            print("tally: %s: %s" % (report, e))
            total[1] += 1
            continue
        for case in root.iter("testcase"):
            counts = of_entry(case)
            total = [a + b for a, b in zip(total, counts)]
            if counts[1]:
                bad.append(case.get("name"))
    for name in bad:
        print("failed: %s" % name)
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
