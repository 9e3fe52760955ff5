"""``hoiset cost``: its options, and what it prints."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_options import AsJson

Price = Annotated[float | None, typer.Option(min=0, help="In any currency; not priced by default.")]


def cost(
    out: Annotated[str, typer.Argument(help="Build directory or s3://bucket/folder.", show_default=False)],
    segments: Annotated[
        int | None, typer.Option(min=1, help="Segments of the whole corpus; those of Action100M by default.")
    ] = None,
    cores_per_worker: Annotated[float, typer.Option(min=0, help="Cores that a worker keeps busy.")] = 2.0,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="GPUs that a worker of pass 2 holds.")] = 0.0,
    months: Annotated[float, typer.Option(min=0, help="How long the dataset is kept, for its price.")] = 1.0,
    core_hour: Price = None,
    gpu_hour: Price = None,
    download_gb: Price = None,
    storage_gb_month: Price = None,
    json: AsJson = False,
) -> None:
    """What a whole corpus would cost, reckoned from what a build has taken so far."""
    from hoiset.builder.cost import ACTION100M_SEGMENTS, Corpus, Prices, cost_of, measured_rates

    corpus = Corpus(segments or ACTION100M_SEGMENTS, cores_per_worker, gpus_per_worker, months)
    found = cost_of(measured_rates(out), corpus, Prices(core_hour, gpu_hour, download_gb, storage_gb_month))
    if json:
        console.print_json(found.to_json())
        return
    print_cost(found)


def print_cost(cost: Any) -> None:
    """A table of a :class:`hoiset.builder.cost.Cost`, and what it rests on."""
    rows = [
        ("pass 1", f"{cost.screen_core_h:,.0f} core-hours"),
        ("pass 2", f"{cost.reconstruct_core_h:,.0f} core-hours, {cost.gpu_h:,.0f} GPU-hours"),
        *((f"  {stage}", f"{hours:,.0f} core-hours") for stage, hours in cost.core_h_by_stage.items()),
        ("download", f"{cost.download_bytes / 1e12:,.3f} TB"),
        ("storage", f"{cost.storage_bytes / 1e12:,.3f} TB"),
        ("clips", f"{cost.clips:,.0f} to reconstruct, {cost.samples:,.0f} samples"),
        *((f"price of {name}", f"{price:,.2f}") for name, price in cost.price.items()),
        *([("price", f"{cost.total:,.2f}")] if cost.total is not None else []),
    ]
    console.print_table(("what", "amount"), rows)
    for line in cost.assumptions:
        console.print_line(f"assumed: {line}")
