"""A worker for the tests, run by the tests' own interpreter: it speaks the protocol and misbehaves on request."""

import json
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np

OUT = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)


def send(header, arrays=None):
    arrays = arrays or {}
    header["arrays"] = [{"name": k, "dtype": v.dtype.str, "shape": v.shape} for k, v in arrays.items()]
    head = json.dumps(header).encode()
    data = struct.pack("<I", len(head)) + head + b"".join(v.tobytes() for v in arrays.values())
    while data:
        data = data[OUT.write(data) :]


def read(n):
    data = sys.stdin.buffer.read(n)
    if len(data) < n:
        sys.exit(0)
    return data


def receive():
    header = json.loads(read(struct.unpack("<I", read(4))[0]))
    arrays = {}
    for a in header["arrays"]:
        dtype = np.dtype(a["dtype"])
        arrays[a["name"]] = np.frombuffer(read(int(np.prod(a["shape"])) * dtype.itemsize), dtype).reshape(a["shape"])
    return header, arrays


def crash_once(path):
    if path and not Path(path).exists():
        Path(path).touch()
        print("dying now", file=sys.stderr, flush=True)
        os._exit(3)


if "--stillborn" in sys.argv:
    sys.exit("no such library")
if "--noise" in sys.argv:
    OUT.write(b"Welcome to the library!\n" * 10)
    time.sleep(60)
if "--mute" in sys.argv:
    time.sleep(60)
send({"op": "hello", "pid": os.getpid(), "venv": os.environ.get("VIRTUAL_ENV", ""), "safe": sys.flags.safe_path})
options, index = {}, 0
while True:
    header, arrays = receive()
    if header["op"] == "begin":
        name, options, index = header["name"], header["options"], 0
    elif header["op"] == "frame":
        print("x" * options.get("noise", 0))  # to fd 1, which is stderr
        if index == options.get("at", -1):
            crash_once(options.get("once"))
            if name == "crash":
                os._exit(4)
            if name == "hang":
                time.sleep(60)
            if name == "raise":
                send({"op": "error", "detail": "ValueError: bad frame"})
                continue
        index += 1
        big = np.zeros(options.get("reply_bytes", 0), np.uint8)
        send({"op": "reply"}, {"sum": np.array(arrays["frame"].sum(dtype=np.int64), "<i8"), "big": big})
    else:
        send({"op": "done"})
