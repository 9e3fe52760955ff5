"""Acquisition: makes remote videos local, politely, and says why where it cannot."""

from hoiset.builder.acquire.acquirer import Acquirer
from hoiset.builder.acquire.failures import FAILURES
from hoiset.builder.acquire.params import AcquireParams, Machine

__all__ = ["FAILURES", "AcquireParams", "Acquirer", "Machine"]
