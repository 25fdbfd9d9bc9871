#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a C file with the files of ui/dist: plain, gzip and (with the brotli command) br, through .incbin.

usage: embed_ui.py DIST OUT.c WORKDIR
An absent DIST gives an empty table: the server then has no pages, and says so.
"""
import gzip
import os
import shutil
import subprocess
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".woff2": "font/woff2", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".json": "application/json",
         ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json"}
PACKED = {".js", ".css", ".svg", ".json", ".html"}


def files_of(dist):
    for folder, _, names in sorted(os.walk(dist)):
        if os.path.relpath(folder, dist).split(os.sep)[0].startswith(".") and folder != dist:
            continue  # the bundler's own notes
        for name in sorted(names):
            path = os.path.join(folder, name)
            yield path, "/" + os.path.relpath(path, dist)


def pack(path, work, index):
    """gzip and br beside each other in the work directory; None where packing does not help."""
    out = []
    data = open(path, "rb").read()
    gz = os.path.join(work, f"{index}.gz")
    with open(gz, "wb") as f:
        f.write(gzip.compress(data, 9, mtime=0))
    out.append(gz if os.path.getsize(gz) < len(data) else None)
    br = os.path.join(work, f"{index}.br")
    if shutil.which("brotli"):
        subprocess.run(["brotli", "-f", "-q", "11", "-o", br, path], check=True)
        out.append(br if os.path.getsize(br) < len(data) else None)
    else:
        out.append(None)
    return out


def main():
    dist, out, work = sys.argv[1:4]
    os.makedirs(work, exist_ok=True)
    blobs, rows = [], []
    for i, (path, url) in enumerate(files_of(dist) if os.path.isdir(dist) else []):
        ext = os.path.splitext(path)[1]
        parts = [path] + (pack(path, work, i) if ext in PACKED else [None, None])
        names = []
        for kind, part in zip(("plain", "gzip", "br"), parts):
            if part:
                blobs.append((f"page_{i}_{kind}", os.path.abspath(part)))
                names.append(f"page_{i}_{kind}")
            else:
                names.append(None)
        pointers = ", ".join(n or "0" for n in names)
        sizes = ", ".join(str(os.path.getsize(p)) if p else "0" for p in parts)
        rows.append(f'\t{{ "{url}", "{TYPES.get(ext, "application/octet-stream")}", {pointers}, {sizes} }},')
    with open(out, "w") as f:
        f.write("/* Made by scripts/embed_ui.py from ui/dist. */\n#include \"api/pages.h\"\n\n")
        for name, path in blobs:
            f.write(f'extern const unsigned char {name}[];\n__asm__(".section .rodata\\n.balign 16\\n.global {name}\\n{name}:\\n'
                    f'.incbin \\"{path}\\"\\n.byte 0\\n.previous\\n");\n')
        f.write("\nconst struct page_file page_files[] = {\n" + "\n".join(rows) + ("\n" if rows else "") + "\t{ 0 },\n};\n")
        f.write(f"const size_t page_files_n = {len(rows)};\n")


main()
