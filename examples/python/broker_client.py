#!/usr/bin/env python3
"""A client of a broker in Python, without a library: docs/wire.md, section Broker, in code.

python3 broker_client.py tcp://127.0.0.1:4322 pub TOPIC MESSAGE...   each acknowledged
python3 broker_client.py unix:///run/b.sock sub TOPIC [COUNT]        of a queue, each settled
"""
import os, socket, struct, sys, time

REASONS = dict(enumerate(["subscribed already", "full", "malformed", "memory", "not allowed",
    "not subscribed", "overrun", "stopping", "too large", "too many subscriptions", "unknown topic",
    "unproven", "unexpected", "too many conns", "bad name"], 1))
HELLO, PUBLISH, SUBSCRIBE, SEEN, SETTLE, PING = 1, 3, 4, 6, 7, 8
WELCOME, DELIVER, RECEIPT, REFUSED, GAP, SUBSCRIBED, ENDED, CREDIT, PONG = range(0x81, 0x8a)

class Broker:
    def __init__(self, addr, patience=10.0):
        scheme, rest = addr.split("://", 1)
        if scheme == "unix":
            self.conn = socket.socket(socket.AF_UNIX)
            self.conn.settimeout(patience)
            self.conn.connect(rest)
        elif scheme == "tcp":
            host, port = rest.rsplit(":", 1)
            self.conn = socket.create_connection((host.strip("[]"), int(port)), patience)
        else:
            sys.exit(f"{scheme}:// is not spoken here, but tcp:// and unix:// are")
        self.patience, self.arrived = patience, b""
        self.say(struct.pack(">B4sB32s", HELLO, b"rmb1", 0, os.urandom(32)))
        frame = self.hear()
        if frame[0] != WELCOME:
            sys.exit(refusal(frame))
        self.window, self.idle = struct.unpack(">II", frame[38:46])
        self.published, self.credit = 0, self.window

    def say(self, frame):
        self.conn.sendall(struct.pack(">I", len(frame)) + frame)

    def hear(self, wait=None):
        """The next frame; None if none comes in time."""
        until = time.monotonic() + (wait or self.patience)
        while len(self.arrived) < 4 or len(self.arrived) < 4 + self.length():
            self.conn.settimeout(max(0.001, until - time.monotonic()))
            try:
                more = self.conn.recv(65536)
            except socket.timeout:
                if wait is None:
                    sys.exit("the broker does not answer")
                return None
            if not more:
                sys.exit("the broker has closed")
            self.arrived += more
        end = 4 + self.length()
        frame, self.arrived = self.arrived[4:end], self.arrived[end:]
        return frame

    def length(self):
        return struct.unpack(">I", self.arrived[:4])[0]

    def publish(self, topic, messages):
        """Publishes each message by itself, and prints its number."""
        for number, message in enumerate(messages):
            block = struct.pack(">I", len(message)) + message
            while self.published >= self.credit:
                self.note(self.hear())
            self.published += len(block)
            self.say(struct.pack(">BB", PUBLISH, 1) + name(topic) + struct.pack(">Q", number) + block)
            while (frame := self.hear())[0] != RECEIPT:
                self.note(frame)
            print(struct.unpack(">Q", frame[9:17])[0], flush=True)

    def note(self, frame):
        if frame[0] == CREDIT:
            self.credit = struct.unpack(">Q", after_name(frame[1:])[1])[0]
        elif frame[0] in (REFUSED, ENDED):
            sys.exit(refusal(frame) if frame[0] == REFUSED else f"ended: {frame[-1]}")

    def subscribe(self, topic, count):
        """Prints messages as they come, as many as wanted."""
        self.say(struct.pack(">BB", SUBSCRIBE, 0) + name(topic) + struct.pack(">I", 1 << 20))
        is_queue, heard = False, time.monotonic()
        while count > 0:
            frame = self.hear(self.idle / 3000)
            if frame is None:
                if time.monotonic() - heard > self.idle / 1000:
                    sys.exit("the broker is silent")
                self.say(struct.pack(">BQ", PING, 0))
                continue
            heard = time.monotonic()
            if frame[0] == SUBSCRIBED:
                is_queue = frame[1] == 1
                print(f"subscribed to {topic}", file=sys.stderr, flush=True)
            elif frame[0] == GAP:
                first, last = struct.unpack(">QQ", after_name(frame[1:])[1][:16])
                print(f"missing: {first} to {last}", file=sys.stderr, flush=True)
            elif frame[0] == DELIVER:
                rest = after_name(frame[2:])[1]
                (seq,), block = struct.unpack(">Q", rest[:8]), rest[8:]
                while block and count > 0:
                    (length,) = struct.unpack(">I", block[:4])
                    sys.stdout.buffer.write(block[4:4 + length] + b"\n")
                    sys.stdout.buffer.flush()
                    done = struct.pack(">BQI", 0, seq, 1) if is_queue else struct.pack(">Q", seq)
                    self.say(bytes([SETTLE if is_queue else SEEN]) + name(topic) + done)
                    block, seq, count = block[4 + length:], seq + 1, count - 1
            else:
                self.note(frame)
        # The Pong says that the broker has read what was settled.
        self.say(struct.pack(">BQ", PING, 1))
        while self.hear()[0] != PONG:
            pass

def name(text):
    return bytes([len(text.encode())]) + text.encode()

def after_name(rest):
    return rest[1:1 + rest[0]].decode(), rest[1 + rest[0]:]

def refusal(frame):
    if frame[0] != REFUSED:
        return "this is no broker"
    topic, rest = after_name(frame[2:])
    return f"refused: {REASONS.get(frame[1], frame[1])} {topic} {ascii(rest[15:].decode())}"

if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] not in ("pub", "sub"):
        sys.exit(__doc__)
    addr, what, topic, *rest = sys.argv[1:]
    if what == "pub":
        Broker(addr).publish(topic, [text.encode() for text in rest])
    else:
        Broker(addr).subscribe(topic, int(rest[0]) if rest else sys.maxsize)
