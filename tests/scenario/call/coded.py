# SPDX-License-Identifier: Apache-2.0
"""Content codings by hand, good and broken. Python has no brotli and no zstd, so their streams are written here as their formats say, stored and
not compressed; the one thing that must compress, a brotli bomb, is a literal."""
import gzip
import struct
import zlib

TEXT = b'{"id":1,"text":"' + b"abcdefgh" * 30 + b'"}'
MIB = 1 << 20
BOMB_BYTES = 256 << 20  # decoded; more than every limit here


def raw_deflate(data):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


def zstd(blocks, size=None, checksum=b""):
    """RFC 8878 3.1.1: magic, header (window 128 KiB), blocks of (kind, length, bytes): 0 = raw, 1 = one byte repeated."""
    out = b"\x28\xb5\x2f\xfd" + bytes([4 if checksum else 0, 7 << 3])
    for i, (kind, length, data) in enumerate(blocks):
        out += struct.pack("<I", length << 3 | kind << 1 | (i == len(blocks) - 1))[:3] + data
    return out + checksum


def zstd_stored(data):
    return zstd([(0, len(data), data)])


def brotli_stored(data):
    """RFC 7932 9.1, 9.2: WBITS 16 (one 0 bit); ISLAST 0, MNIBBLES 4 (00), MLEN - 1 in 16 bits, ISUNCOMPRESSED 1; after padding the bytes; then
    ISLAST 1, ISLASTEMPTY 1."""
    bits = (len(data) - 1) << 4 | 1 << 20
    return struct.pack("<I", bits)[:3] + data + b"\x03"


# 256 MiB of "a" through `brotli -q 11 -w 24` (brotli 1.0.9)
BROTLI_BOMB = bytes.fromhex("cfffff7ff825c2e2b14020f7fe9ffffffff04b00c4610180eefd3fffffffe1970088c32200ddfb7ffeffffc32f0110870500baf7fffcffff875f02200e0b0074effff9ffff0fbf04401c1600e8defff3ffff1f7e0980382c00d0bdffe7ffff3ffc1200715800a07bffcfffff7ff82500e2b00040f7fe9ffffffff04b00c4610180eefd3fffffffe1970088c30200ddfb7ffeffffc32f0110870500baf7fffcffff875f02200e0b0074effff9ffff0fbf04401c1600e8defff3ffff1f7e0980382c00d0bdffe7ffff3ffc1200715800a07bff3f")

# TEXT through `zstd --check` (zstd 1.5.4): its last four bytes are a checksum
ZSTD_CHECKED = bytes.fromhex("28b52ffd04580d0100d07b226964223a312c2274657874223a226162636465666768227d01009447953151db7987")

GOOD = {"gzip": gzip.compress(TEXT, mtime=0), "deflate": zlib.compress(TEXT), "br": brotli_stored(TEXT), "zstd": zstd_stored(TEXT)}

def deflate_bombs():
    """One stream in both frames, made in pieces: the memory of this process counts in what is measured of the program that it starts."""
    c, piece, crc, adler, raw = zlib.compressobj(9, zlib.DEFLATED, -15), b"a" * MIB, 0, 1, b""
    for _ in range(BOMB_BYTES // MIB):
        raw, crc, adler = raw + c.compress(piece), zlib.crc32(piece, crc), zlib.adler32(piece, adler)
    raw += c.flush()
    gzipped = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + raw + struct.pack("<II", crc, BOMB_BYTES)
    return {"gzip": gzipped, "deflate": b"\x78\xda" + raw + struct.pack(">I", adler)}


BOMBS = {**deflate_bombs(), "br": BROTLI_BOMB, "zstd": zstd([(1, 128 << 10, b"a")] * (BOMB_BYTES >> 17))}
