"""A program of its own that sends OSC as fast as it can: `python sender.py PORT COUNT ADDRESS [HOST]`.

ADDRESS may hold one `{}` for the message's number. Every packet is made before the first is sent.
"""

import socket
import struct
import sys


def packet(address: str, value: int) -> bytes:
    name = address.encode()
    return name + b"\0" * (4 - len(name) % 4) + b",i\0\0" + struct.pack(">i", value)


def main() -> None:
    port, count, address = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    host = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"
    packets = [packet(address.format(number), number) for number in range(count)]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect((host, port))
        for data in packets:
            out.send(data)
        sys.stdout.write(f"{out.getsockname()[1]}\n")


if __name__ == "__main__":
    main()
