"""yt-dlp's requests over our transport: public hosts only."""

from __future__ import annotations

from typing import Any

from yt_dlp.networking._requests import RequestsRH

from hoiset.builder.acquire.guard import GuardedAdapter


def transport(private_hosts: tuple[str, ...]) -> type[RequestsRH]:
    """The only request handler that yt-dlp gets; it has no file, FTP or WebSocket addresses.

    Args:
        private_hosts: See :class:`hoiset.builder.acquire.guard.GuardedAdapter`.
    """

    class GuardedRH(RequestsRH):
        def _create_instance(self, *args: Any, **kwargs: Any) -> Any:
            session = super()._create_instance(*args, **kwargs)
            for scheme in ("http://", "https://"):
                session.mount(scheme, GuardedAdapter(session.get_adapter(scheme), private_hosts))
            return session

    return GuardedRH
