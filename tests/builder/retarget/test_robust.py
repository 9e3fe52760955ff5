from __future__ import annotations

import numpy as np

from hoiset.builder.retarget.robust import robust_rows
from hoiset.builder.retarget.trajectory import Terms


def robust_terms(r: np.ndarray, J: np.ndarray, knee: float) -> Terms:
    """The obvious way: r (B, T, K, 3) in tolerances, J (B, T, K, 3, dof)."""
    there = np.isfinite(r).all(-1)
    r = np.where(there[..., None], r, 0.0)
    length = np.sqrt((r * r).sum(-1))
    weight = there * np.minimum(1.0, knee / np.maximum(length, 1e-12))
    cost = np.where(length <= knee, length**2 / 2, knee * (length - knee / 2)).sum(-1)
    n = J.shape[-1]
    flat = J.reshape(*J.shape[:2], -1, n)
    weighted = (J * weight[..., None, None]).reshape(flat.shape)
    g = -(weighted.swapaxes(-1, -2) @ r.reshape(*r.shape[:2], -1, 1))[..., 0]
    return cost, g, weighted.swapaxes(-1, -2) @ flat


def test_robust_terms_are_the_slopes_of_their_cost() -> None:
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(1, 1, 4, 3, 5)), rng.normal(size=(1, 1, 4, 3)) * [[0.1], [0.1], [5.0], [5.0]]
    b[0, 0, 1] = np.nan

    def cost(x: np.ndarray) -> float:
        return float(robust_terms(b - A @ x, A, 1.0)[0][0, 0])

    x = rng.normal(0, 0.01, 5)
    value, g, H = robust_terms(b - A @ x, A, 1.0)
    numeric = [(cost(x + step) - cost(x - step)) / 2e-6 for step in 1e-6 * np.eye(5)]
    np.testing.assert_allclose(g[0, 0], numeric, atol=1e-7)
    assert np.isfinite(value).all()
    assert np.linalg.eigvalsh(H[0, 0]).min() > -1e-12


def test_rows_say_the_same_as_blocks_of_frames() -> None:
    rng = np.random.default_rng(1)
    J, r = rng.normal(size=(2, 9, 4, 3, 5)), rng.normal(size=(2, 9, 4, 3)) * np.array([0.01, 0.1, 1.0, 9.0])[:, None]
    r[0, 3], r[1, :, 2] = np.nan, np.nan
    unit = np.array([0.1, 1.0, 1.0, 0.5])
    cost, g, H = robust_terms(r / unit[:, None], J / unit[:, None, None], 0.8)
    last = [np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (r, J)]
    found = robust_rows(*last, unit[:, None], 0.8)
    np.testing.assert_allclose(found[0], cost, atol=1e-12)
    np.testing.assert_allclose(found[1], g, atol=1e-12)
    np.testing.assert_allclose(found[2], np.tril(H), atol=1e-12)
