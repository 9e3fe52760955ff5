"""Scripts with inline dependencies (PEP 723) in environments of their own, and FFmpeg for what they decode with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import av
import uv


def run_isolated(script: Path, *args: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script by ``uv run --script``; an environment that exists is used without the network.

    Args:
        script: Of PEP 723.
        *args: Its arguments.
        folder: For links and caches.
    """
    done = _run([uv.find_uv_bin(), "run", "--offline", "--script", script, *args], folder)
    return done if done.returncode == 0 else _run([uv.find_uv_bin(), "run", "--script", script, *args], folder)


def _run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "hf")}
    environment["LD_LIBRARY_PATH"] = ffmpeg_libraries(folder / "ffmpeg")
    environment.pop("PYTHONPATH", None)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def ffmpeg_libraries(folder: Path) -> str:
    """A search path on which torchcodec finds PyAV's own FFmpeg, under the names that it asks for."""
    libraries = Path(av.__file__).parents[1] / "av.libs"
    folder.mkdir(parents=True, exist_ok=True)
    for path in libraries.glob("lib*-*.so.*"):
        name, _, rest = path.name.partition("-")
        if name.startswith(("libav", "libsw")):
            link = folder / f"{name}.so.{rest.split('.so.')[1].split('.')[0]}"
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return f"{folder}:{libraries}"
