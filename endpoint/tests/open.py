"""Opens sealed frames as docs/wire.md describes them: a second implementation, to test the first.

Reads lines `cluster, session of the sender, receiver as hex, its session, frame as hex`, divided by
blanks, and answers each with a line: `opened` and its payloads, or `refused` and why.
"""

import struct
import sys
from hashlib import sha512

# BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs), 32 bytes of output.
IV = struct.unpack(">8I", bytes.fromhex("6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"))
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS = [(i, i + 4, i + 8, i + 12) for i in range(4)]
DIAGONALS = [(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12) for i in range(4)]
START, END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = (1 << bit for bit in range(7))


def compress(cv, block, counter, flags):
    m = struct.unpack("<16I", block.ljust(64, b"\0"))
    v = [*cv, *IV[:4], counter & 0xFFFFFFFF, counter >> 32, len(block), flags]
    for _ in range(7):
        for n, (a, b, c, d) in enumerate(COLUMNS + DIAGONALS):
            for word, right, left in ((m[2 * n], 16, 12), (m[2 * n + 1], 8, 7)):
                v[a] = (v[a] + v[b] + word) & 0xFFFFFFFF
                v[d] = turn(v[d] ^ v[a], right)
                v[c] = (v[c] + v[d]) & 0xFFFFFFFF
                v[b] = turn(v[b] ^ v[c], left)
        m = [m[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def turn(word, bits):
    return word >> bits | word << 32 - bits & 0xFFFFFFFF


def tree(data, first, key, flags, root):
    if 1024 < len(data):
        left = 1024 << ((len(data) - 1) // 1024).bit_length() - 1
        pair = tree(data[:left], first, key, flags, 0)
        pair += tree(data[left:], first + left // 1024, key, flags, 0)
        return compress(key, struct.pack("<16I", *pair), 0, flags | PARENT | root)
    cv, blocks = key, [data[i : i + 64] for i in range(0, len(data), 64)] or [b""]
    for n, block in enumerate(blocks):
        last = END | root if n == len(blocks) - 1 else 0
        cv = compress(cv, block, first, flags | last | (START if n == 0 else 0))
    return cv


def keyed_hash(key, data):
    return struct.pack("<8I", *tree(data, 0, struct.unpack("<8I", key), KEYED, ROOT))


def derive_key(context, data):
    key = tree(context.encode(), 0, IV, CONTEXT, ROOT)
    return struct.pack("<8I", *tree(data, 0, key, MATERIAL, ROOT))


# Ed25519 (RFC 8032), strict: canonical S, and no key or R of small order.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(p, q):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


def decode(raw):
    y, sign = int.from_bytes(raw, "little") % 2**255, raw[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def is_same(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def verifies(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    points = decode(key), decode(r)
    if L <= s or None in points or any(is_same(times(8, p), (0, 1, 1, 0)) for p in points):
        return False
    k = int.from_bytes(sha512(r + key + message).digest(), "little") % L
    return is_same(times(s, BASE), add(points[1], times(k, points[0])))


# Frames (docs/wire.md).
def open_frame(cluster, from_session, to, frame):
    cluster = derive_key("rumormill 1 cluster", cluster.encode())
    if len(frame) < 51 + 64 or frame[:2] != b"\x01\x10" or 2 < frame[2]:
        return "refused malformed"
    lane, tag, sender, signed = frame[2], frame[3:11], frame[11:43], frame[:-64]
    if tag != derive_key("rumormill 1 recipient", cluster + to)[:8]:
        return "refused elsewhere"
    key = derive_key("rumormill 1 frame", cluster + sender + from_session + to)
    if not verifies(sender, b"rumormill.frame" + keyed_hash(key, signed), frame[-64:]):
        return "refused forged"
    opened, rest = "opened", signed[51:]
    while rest:
        kind, what, number = rest[0] >> 4, rest[0] & 15, ""
        rest = rest[1:]
        if kind in (1, 2):
            number, rest = str(int.from_bytes(rest[:8], "big")), rest[8:]
        length = int.from_bytes(rest[:4], "big")
        if 5 < kind or (lane == 1) != (what == 2) or 2 < max(lane, what) or len(rest) < 4 + length:
            return "refused malformed"
        opened += f" {('message', 'request', 'reply', 'confirm', 'echo', 'probe')[kind]}{number}:{what}:{rest[4:4 + length].hex()}"
        rest = rest[4 + length :]
    return opened


for line in sys.stdin:
    cluster, session, node, its, frame = line.split()
    session, its = (int(number).to_bytes(8, "big") for number in (session, its))
    print(open_frame(cluster, session, bytes.fromhex(node) + its, bytes.fromhex(frame)))
