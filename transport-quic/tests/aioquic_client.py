"""Talks to a listener over QUIC, from the page alone: frames on one stream, both ends, clean ends.

python3 aioquic_client.py HOST PORT CERTIFICATE KEY
"""

import asyncio
import ssl
import struct
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import StreamDataReceived, StreamReset

MESSAGES = [b""] + [bytes([n]) * 1000 for n in range(100)] + [b"x" * 100_000]


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.arrived = bytearray()
        self.ended = asyncio.get_event_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived):
            self.arrived += event.data
            if event.end_stream:
                self.ended.set_result(None)
        elif isinstance(event, StreamReset):
            self.ended.set_exception(RuntimeError("the stream was reset"))


def frame(message):
    return struct.pack(">I", len(message)) + message


def messages(stream):
    while stream:
        (length,) = struct.unpack(">I", stream[:4])
        yield bytes(stream[4 : 4 + length])
        stream = stream[4 + length :]


async def main(host, port, certificate, key):
    # The node id of the listener would be compared with the key in its certificate; this client
    # takes anybody.
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=["rumormill/1"], verify_mode=ssl.CERT_NONE
    )
    configuration.load_cert_chain(certificate, key)
    async with connect(
        host, int(port), configuration=configuration, create_protocol=Client
    ) as client:
        stream = client._quic.get_next_available_stream_id()
        client._quic.send_stream_data(stream, b"".join(map(frame, MESSAGES)))
        client.transmit()
        while len(client.arrived) < sum(4 + len(message) for message in MESSAGES):
            await asyncio.sleep(0.01)
        client._quic.send_stream_data(stream, b"", end_stream=True)
        client.transmit()
        await asyncio.wait_for(client.ended, 20)
        assert list(messages(client.arrived)) == MESSAGES[::-1]
    print("all came back")


asyncio.run(main(*sys.argv[1:]))
