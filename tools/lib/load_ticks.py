#!/usr/bin/python3
"""Loads a tick file into a time series over RESP, reads it back and shows a few rows.

usage: load_ticks.py PORT KEY FILE

FILE has lines milliseconds,price,size. Writes go out in pipelines of 1000; then the whole series is
read and its number of points and last value are compared with the file. Writes the rows to standard
error and "POINTS WRITE_SECONDS READ_SECONDS" to standard output.
"""
import datetime
import socket
import sys
import time

PIPELINE = 1000
SHOWN = 3


def encode(*args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def decode(file):
    """One reply; errors become exceptions."""
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RuntimeError(rest.decode())
    if kind == b"$":
        return None if rest == b"-1" else file.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return [decode(file) for _ in range(int(rest))]
    return rest.decode()


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")

    def call(self, *args):
        self.socket.sendall(encode(*args))
        return decode(self.file)

    def pipeline(self, commands):
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [decode(self.file) for _ in commands]


def load(client, key, rows):
    commands = [("TSDB_SET", key, at, price, "00", 0) for at, price, _ in rows]
    start = time.monotonic()
    for i in range(0, len(commands), PIPELINE):
        client.pipeline(commands[i : i + PIPELINE])
    return time.monotonic() - start


def show(key, points):
    print(f"{key}: {len(points)} points, the last {SHOWN} of them:", file=sys.stderr)
    for point in points[-SHOWN:]:
        at = datetime.datetime.fromtimestamp(int(point[0]) / 1000, datetime.timezone.utc)
        text = at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        print(f"  {text} UTC  {float(point[1]):.2f}", file=sys.stderr)


def main():
    port, key, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    with open(path) as file:
        rows = [line.strip().split(",") for line in file]
    client = Client(port)
    written = load(client, key, rows)
    start = time.monotonic()
    points = client.call("TSDB_GET", key, rows[0][0], rows[-1][0])
    read = time.monotonic() - start
    show(key, points)
    if len(points) != len(rows) or float(points[-1][1]) != float(rows[-1][1]):
        sys.exit(f"{len(rows)} points were written and {len(points)} came back")
    print(f"{len(rows)} {written:.6f} {read:.6f}")


if __name__ == "__main__":
    main()
