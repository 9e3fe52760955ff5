"""``hoiset train-root``: learn where a robot's root should stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import hoiset
from hoiset import console
from hoiset.errors import MissingDependency


def train_root(
    robot: Annotated[str, typer.Argument(help="Name of a robot, or the path of its .toml or .xml file.")],
    out: Annotated[Path, typer.Option("--out", help="File of weights (.safetensors); its log goes beside it (.json).")],
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long to train.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Or how many steps: the same weights again.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and motions.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; all by default.")] = None,
) -> None:
    """Train a robot's root network on motions that are simulated as it learns."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependency("training needs torch: pip install 'hoiset[build,torch]'") from error
    from hoiset.builder.retarget.robot import load_robot
    from hoiset.builder.retarget.root_training import held_out_errors, train
    from hoiset.builder.retarget.root_weights import WeightsInfo, robot_digest, save_weights

    if (minutes is None) == (steps is None):
        raise typer.BadParameter("give one of them", param_hint="--minutes or --steps")
    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"found {out.name}, expected a name that ends in .safetensors", param_hint="--out")
    if threads is not None:
        torch.set_num_threads(threads)
    model = load_robot(robot)

    def report(step: int, seconds: float, loss: float) -> None:
        console.print_line(f"step {step}, {seconds:.0f} s, loss {loss:.4f}")

    trained = train(model, minutes=minutes, steps=steps, seed=seed, progress=report)
    length = f"--minutes {minutes:g}" if minutes is not None else f"--steps {steps}"
    info = WeightsInfo(
        robot=model.name,
        robot_digest=robot_digest(model),
        network=trained.network.params,
        command=f"hoiset train-root {model.name} {length} --seed {seed}",
        seed=seed,
        steps=trained.steps,
        clips=trained.clips,
        hoiset=hoiset.__version__,
        torch=torch.__version__.partition("+")[0],
        held_out=held_out_errors(trained.network, model),
    )
    save_weights(out, trained.network, info)
    rows = [{"step": step, "seconds": seconds, "loss": loss} for step, seconds, loss in trained.log]
    text = json.dumps({**info.model_dump(), "seconds": round(trained.seconds, 1), "log": rows}, indent=1)
    out.with_suffix(".json").write_text(text + "\n", "utf-8")
    console.print_line(json.dumps(info.held_out["all"]))
