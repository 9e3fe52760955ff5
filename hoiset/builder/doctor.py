"""What this machine has of what a build needs, and the one line that gets what it lacks."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import hoiset
from hoiset.errors import BackendUnavailable

SYSTEM_LIBRARIES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libidn2.so.0": "libidn2-0",
    "libudev.so.1": "libudev1",
}
"""Libraries that open3d's wheel links to and does not bring -> the Debian package of each."""

_PACKAGES = {
    "build": ("opencv-python-headless", "open3d", "scipy", "pydantic", "lemminflect", "matplotlib", "uv", "yt-dlp"),
    "torch": ("torch",),
    "datasets": ("datasets", "webdataset"),
}
_NEEDED_EXTRAS = ("build",)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        kind: ``package``, ``library``, ``backend``, ``weights``, ``program`` or ``device``.
        name: Of the thing.
        ok: Whether it is there and works.
        needed: Whether a build cannot do without it.
        detail: Version, or what is wrong.
        get: The line that gets it, where it is missing.
    """

    kind: str
    name: str
    ok: bool
    needed: bool
    detail: str
    get: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def examine(*, start: bool = True) -> list[Finding]:
    """Look for everything.

    Args:
        start: Whether to start the isolated models too; their first start installs them.
    """
    return [*_packages(), *_libraries(), *_mediapipe(start=start), *_programs(), *_devices()]


def _packages() -> list[Finding]:
    findings = [Finding("package", "hoiset", True, True, f"{hoiset.__version__}, Python {sys.version.split()[0]}")]
    for extra, names in _PACKAGES.items():
        for name in names:
            needed = extra in _NEEDED_EXTRAS
            try:
                findings.append(Finding("package", name, True, needed, metadata.version(name)))
            except metadata.PackageNotFoundError:
                get = f"pip install 'hoiset[{extra}]'"
                findings.append(Finding("package", name, False, needed, "not installed", get))
    return findings


def _libraries() -> list[Finding]:
    if not sys.platform.startswith("linux"):
        return []
    findings = []
    for soname, package in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(soname)
            findings.append(Finding("library", soname, True, True, "found"))
        except OSError as error:
            get = f"sudo apt-get install -y {package}"
            findings.append(Finding("library", soname, False, True, str(error), get))
    return findings


def _mediapipe(*, start: bool) -> list[Finding]:
    from hoiset.builder.reconstruct.backends.mediapipe import SCRIPT, MediaPipeWorker

    get = f"uv run --script {SCRIPT}"
    if not start:
        return [Finding("backend", "mediapipe", True, True, "not started")]
    try:
        with MediaPipeWorker() as worker:
            hello = worker.start()
    except BackendUnavailable as error:
        return [Finding("backend", "mediapipe", False, True, " ".join(str(error).split())[:300], get)]
    digests = sorted(hello["digests"].items())
    return [
        Finding("backend", "mediapipe", True, True, f"{hello['version']}, in an environment of its own"),
        *(Finding("weights", f"mediapipe {name}", True, True, f"in the wheel, {value[:8]}") for name, value in digests),
    ]


def _programs() -> list[Finding]:
    path = shutil.which("deno")
    detail = path or "not found; YouTube gives most of its formats only to those who run its player's code"
    get = "" if path else "https://deno.com, or pip install deno"
    return [Finding("program", "deno", path is not None, False, detail, get)]


def _devices() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    findings = [Finding("device", "cpu", True, True, f"{cores} cores, {memory_gib:.1f} GiB")]
    try:
        import torch
    except ImportError:
        return [
            *findings,
            Finding("device", "gpu", False, False, "unknown without torch", "pip install 'hoiset[torch]'"),
        ]
    if not torch.cuda.is_available():
        return [*findings, Finding("device", "gpu", False, False, "none; the cpu profile needs none")]
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [*findings, *(Finding("device", f"gpu {i}", True, False, name) for i, name in enumerate(names))]
