"""Things to handle, as closed meshes with a texture: twelve families, and lids with what they close.

**Convention:** the object's frame has its origin at the centre of the bounding box and z up when it stands or lies on a
table, m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio import tools, vessels
from hoiset.builder.studio.forms import Form, Hold, Opening
from hoiset.builder.studio.surface_nets import Mesh, Sdf, closed_mesh_from_sdf
from hoiset.builder.studio.texture import Texture


@dataclass(frozen=True)
class Prop:
    """One object.

    Attributes:
        kind: Its family; a noun with ``_`` for a space.
        mesh: Closed mesh in the object's frame.
        sdf: Signed distance to it in the object's frame (negative inside), m.
        texture: Linear RGB of points on its surface, object frame.
        gloss: Strength of its highlight.
        extent_m: (3,) size of its bounding box.
        grip_radius_m: Half the width that a hand has to span, m; for a bowl, half its wall.
        holds: Parts that a hand can take, the usual one first, object frame.
        opening: Its mouth if it is hollow, object frame.
        tip: (3,) where a tool touches what it works on, object frame.
        seat: (3,) of a lid: the point that is at the centre of the opening when it is closed, object frame.
    """

    kind: str
    mesh: Mesh
    sdf: Sdf
    texture: Texture
    gloss: float
    extent_m: Float[np.ndarray, "3"]
    grip_radius_m: float
    holds: tuple[Hold, ...] = ()
    opening: Opening | None = None
    tip: Float[np.ndarray, "3"] | None = None
    seat: Float[np.ndarray, "3"] | None = None

    @property
    def noun(self) -> str:
        """Its name in a sentence."""
        return self.kind.replace("_", " ")


def build_prop(kind: str, rng: np.random.Generator, *, spacing: float = 1.0, fits: Prop | None = None) -> Prop:
    """Model one object of random size, proportion and texture.

    Args:
        kind: One of ``OBJECT_KINDS`` or ``PART_KINDS``.
        rng: Source of its size and looks.
        spacing: Factor on the grid spacing of its mesh.
        fits: What a ``lid`` closes.

    Raises:
        ValueError: No such kind, or a lid without an opening to fit.
    """
    form = _form(kind, rng, fits)
    steps = [s * spacing for s in form.spacing_m]
    x, y, z = (np.arange(-h - 3 * s, h + 5 * s, s) for h, s in zip(form.half_m, steps, strict=True))
    mesh = closed_mesh_from_sdf(form.sdf, (x, y, z))
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    centre = (low + high) / 2
    opening = form.opening and replace(form.opening, centre=form.opening.centre - centre)
    return Prop(
        kind=kind,
        mesh=Mesh(mesh.vertices - centre, mesh.faces),
        sdf=lambda p: form.sdf(p + centre),
        texture=lambda p: form.texture(p + centre),
        gloss=form.gloss,
        extent_m=high - low,
        grip_radius_m=form.grip_radius_m,
        holds=tuple(replace(hold, centre=hold.centre - centre) for hold in form.holds),
        opening=opening,
        tip=None if form.tip is None else form.tip - centre,
        seat=None if form.seat is None else form.seat - centre,
    )


def _form(kind: str, rng: np.random.Generator, fits: Prop | None) -> Form:
    makers: dict[str, Callable[[np.random.Generator], Form]] = {
        "mug": vessels.mug,
        "box": tools.box,
        "bottle": vessels.bottle,
        "bowl": vessels.bowl,
        "can": vessels.can,
        "book": tools.book,
        "spoon": tools.spoon,
        "knife": tools.knife,
        "plate": vessels.plate,
        "ball": tools.ball,
        "spray_bottle": tools.spray_bottle,
        "pan": vessels.pan,
        "pot": vessels.pot,
        "jar": vessels.jar,
    }
    if kind == "lid":
        if fits is None or fits.opening is None:
            raise ValueError("found no opening for the lid; give the pot or jar that it closes as `fits`")
        return vessels.lid(rng, fits.opening)
    if kind not in makers:
        raise ValueError(f"found kind {kind!r}, expected one of {', '.join(makers)} or lid")
    return makers[kind](rng)
