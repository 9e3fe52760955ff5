"""Scripts in environments of their own, with the FFmpeg libraries that PyAV brings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import av
import pytest
import uv


def run_script(script: Path, *args: str | Path, folder: Path) -> str:
    """Run a script with inline dependencies; its stdout. An environment that exists is used without the network.

    Args:
        script: Of PEP 723.
        *args: Its arguments.
        folder: For links to libraries.
    """
    environment = dict(os.environ) | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "hf")}
    environment["LD_LIBRARY_PATH"] = ffmpeg_libraries(folder / "ffmpeg")
    environment.pop("PYTHONPATH", None)
    for options in (["--offline"], []):
        command = [uv.find_uv_bin(), "run", *options, "--no-project", "--script", script, *args]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
    pytest.fail(f"{script.name} ended with {done.returncode}:\n{done.stderr[-4000:]}")


def ffmpeg_libraries(folder: Path) -> str:
    """Where torchcodec finds FFmpeg: PyAV's libraries, under the names that it asks for; a search path."""
    libraries = Path(av.__file__).parents[1] / "av.libs"
    if not libraries.is_dir():
        pytest.skip("this PyAV brings no FFmpeg libraries of its own, which torchcodec is to use")
    folder.mkdir(parents=True, exist_ok=True)
    for path in libraries.glob("lib*-*.so.*"):
        name, _, rest = path.name.partition("-")
        if name.startswith(("libav", "libsw")):
            link = folder / f"{name}.so.{rest.split('.so.')[1].split('.')[0]}"
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return f"{folder}:{libraries}"
