"""A model in an environment of its own: a PEP 723 script behind two pipes.

The script speaks :mod:`hoiset.builder.engine.wire` on stdin and stdout. It says ``{"op": "hello", ...}`` once it can
work; a request is ``begin`` (with the operation's name and options), any number of ``frame`` and ``end``; it answers
each frame with one ``reply`` in order and ``end`` with ``done``, or at any time with ``error``. It exits on EOF.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hoiset.builder.engine.wire import Decoder, Message, WireError, encode
from hoiset.errors import BackendUnavailable, ClipError

_LEAKY_VARIABLES = (
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "UV_PROJECT_ENVIRONMENT",
    "UV_RUN_RECURSION_DEPTH",
    "__PYVENV_LAUNCHER__",
)
_STDERR_BYTES = 16_384
_PIPE_BYTES = 1 << 20


class WorkerDied(Exception):  # noqa: N818 (an event that the handle answers, not an error that a caller sees)
    """The process ended, hung or wrote nonsense."""


def find_uv() -> str:
    """Path of the uv executable: of the installed package, else on PATH.

    Raises:
        BackendUnavailable: There is none.
    """
    try:
        import uv

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError) as e:
        found = shutil.which("uv")
        if found is None:
            raise BackendUnavailable("uv was not found; expected it for isolated workers: pip install uv") from e
        return found


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables a worker gets: all but those that would tie it to our own interpreter.

    The script's own directory is kept off its module path, where a neighbour could shadow the library it imports.
    """
    kept = {k: v for k, v in environ.items() if k not in _LEAKY_VARIABLES}
    return {**kept, "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1"}


def _kill_group(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


class _Process:
    """One life of the script: a single-threaded pump over its three pipes, so that no full pipe can block another."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=env,
            start_new_session=True,
            pipesize=_PIPE_BYTES,
        )
        self.kill = weakref.finalize(self, _kill_group, self.popen, os.getpid())
        pipes = (self.popen.stdin, self.popen.stdout, self.popen.stderr)
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in pipes if pipe is not None)
        for fd in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(fd, False)
        self._decoder = Decoder()
        self._inbox: list[Message] = []
        self._errors = bytearray()
        self._open = {self._stdout, self._stderr}

    @property
    def last_words(self) -> str:
        """The last lines of stderr."""
        lines = self._errors.decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-12:])

    def send(self, buffers: list[memoryview], timeout_s: float) -> None:
        """Write a message, taking in whatever arrives meanwhile; raises WorkerDied."""
        deadline = time.monotonic() + timeout_s
        for buffer in buffers:
            while buffer:
                if self._pump(deadline, want_write=True):
                    try:
                        buffer = buffer[os.write(self._stdin, buffer) :]
                    except BlockingIOError:
                        continue
                    except BrokenPipeError as e:
                        self._drain()
                        raise WorkerDied("it closed its input") from e

    def receive(self, timeout_s: float) -> Message:
        """The next message; raises WorkerDied."""
        deadline = time.monotonic() + timeout_s
        while not self._inbox:
            self._pump(deadline, want_write=False)
        return self._inbox.pop(0)

    def finish(self, timeout_s: float) -> None:
        """Close its input, give it time to leave on its own, then make sure."""
        if self.popen.stdin is not None:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout_s)
        self.kill()

    def _pump(self, deadline: float, *, want_write: bool) -> bool:
        """Wait for any pipe and read what is there; returns whether stdin takes bytes."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise WorkerDied("it did not answer in time")
        with selectors.DefaultSelector() as selector:
            for fd in self._open:
                selector.register(fd, selectors.EVENT_READ)
            if want_write:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            ready = {key.fd for key, _ in selector.select(remaining)}
        for fd in ready & self._open:
            self._read(fd)
        if self._stdout not in self._open and not self._inbox:
            self._drain()
            raise WorkerDied(f"it ended with status {self.popen.poll()}")
        return self._stdin in ready

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _PIPE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._open.discard(fd)
        elif fd == self._stderr:
            self._errors = (self._errors + data)[-_STDERR_BYTES:]
        else:
            try:
                self._inbox += self._decoder.feed(data)
            except WireError as e:
                raise WorkerDied(f"it wrote what is no message: {e}") from e

    def _drain(self) -> None:
        """Take in the rest of stderr once the process is on its way out."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(2.0)
        while self._stderr in self._open:
            before = bytes(self._errors)
            self._read(self._stderr)
            if bytes(self._errors) == before:
                break


class IsolatedWorker:
    """Handle of one worker: started when first needed, restarted when it dies, ended with the handle.

    Not for use by two threads at once. In a forked child the handle starts a process of its own.

    Args:
        script: The PEP 723 script.
        start_timeout_s: For the first answer; the first start ever installs the script's environment.
        reply_timeout_s: For each frame.
        window: Frames in flight, so that sending and computing overlap while little is held.
        command: What to run instead of ``uv run --script`` (for tests).
    """

    def __init__(
        self,
        script: Path,
        *,
        start_timeout_s: float = 900.0,
        reply_timeout_s: float = 120.0,
        window: int = 4,
        command: list[str] | None = None,
    ) -> None:
        self.script = script
        self._start_timeout_s = start_timeout_s
        self._reply_timeout_s = reply_timeout_s
        self._window = window
        self._command = command
        self._process: _Process | None = None
        self._owner = os.getpid()
        self._hello: dict[str, Any] = {}

    def __enter__(self) -> IsolatedWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id (of uv, the leader of the worker's process group) while it runs."""
        return self._process.popen.pid if self._process else None

    def start(self) -> dict[str, Any]:
        """Start the process unless it runs.

        Returns:
            What the script says of itself (its ``hello``).

        Raises:
            BackendUnavailable: It cannot be started; the message ends with the last lines of its stderr.
        """
        if self._process is not None and self._owner == os.getpid():
            return self._hello
        self._owner = os.getpid()
        # An environment that exists is used without asking any index; only a missing one is worth the network.
        commands = [self._command] if self._command else [self._uv("--offline"), self._uv()]
        failures = []
        for command in commands:
            process = _Process(command, worker_environment(os.environ))
            try:
                hello = process.receive(self._start_timeout_s).header
                if hello.get("op") != "hello":
                    raise WorkerDied(f"it began with {hello}")
                self._hello, self._process = hello, process
                return hello
            except WorkerDied as e:
                process.kill()
                failures.append(f"{e}\n{process.last_words}")
        raise BackendUnavailable(
            f"worker {self.script.name} cannot start: {failures[-1]}\n"
            f"Run `uv run --script {self.script}` to see the whole of it; the first start needs a package index."
        )

    def request(
        self,
        op: str,
        options: Mapping[str, Any],
        frames: Iterable[Mapping[str, np.ndarray]],
        on_reply: Callable[[int, dict[str, np.ndarray]], None],
    ) -> None:
        """Stream frames through one operation.

        Args:
            op: The operation's name in the script.
            options: JSON-able options of the operation.
            frames: The arrays of each frame by name, consumed lazily, at most ``window`` ahead of the answers.
            on_reply: Called with (frame index, arrays) in order; after a crash it is called from index 0 again.

        Raises:
            BackendUnavailable: The worker cannot be started.
            ClipError: ``worker_crashed`` if it died twice (or once on frames that can be iterated only once),
                ``worker_error`` if the script reports an exception.
        """
        replayable = iter(frames) is not frames
        self.start()
        for attempt in (1, 2):
            try:
                self.start()
                self._stream(op, options, frames, on_reply)
                return
            except WorkerDied as e:
                words = self._process.last_words if self._process else ""
                self.close(grace_s=0.0)
                if attempt == 2 or not replayable:
                    raise ClipError("worker_crashed", f"{self.script.name} on {op!r}: {e}\n{words}".strip()) from e
            except BaseException:
                # The answers still in the pipe belong to this request: the next one must not read them.
                self.close(grace_s=0.0)
                raise

    def close(self, *, grace_s: float = 5.0) -> None:
        """End the process; the handle can be used again."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.finish(grace_s)

    def _uv(self, *flags: str) -> list[str]:
        return [find_uv(), "run", "--quiet", "--no-progress", *flags, "--script", str(self.script)]

    def _stream(
        self,
        op: str,
        options: Mapping[str, Any],
        frames: Iterable[Mapping[str, np.ndarray]],
        on_reply: Callable[[int, dict[str, np.ndarray]], None],
    ) -> None:
        process = self._process
        assert process is not None
        timeout_s = self._reply_timeout_s
        process.send(encode({"op": "begin", "name": op, "options": dict(options)}), timeout_s)
        sent = answered = 0
        for frame in frames:
            process.send(encode({"op": "frame"}, frame), timeout_s)
            sent += 1
            if sent - answered >= self._window:
                on_reply(answered, self._expect("reply", op).arrays)
                answered += 1
        process.send(encode({"op": "end"}), timeout_s)
        for index in range(answered, sent):
            on_reply(index, self._expect("reply", op).arrays)
        self._expect("done", op)

    def _expect(self, kind: str, op: str) -> Message:
        assert self._process is not None
        message = self._process.receive(self._reply_timeout_s)
        if message.header.get("op") == "error":
            raise ClipError("worker_error", f"{self.script.name} on {op!r}: {message.header.get('detail', '')}")
        if message.header.get("op") != kind:
            raise WorkerDied(f"it answered {message.header.get('op')!r} where {kind!r} was due")
        return message
