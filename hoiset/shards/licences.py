"""What a licence string permits to do with footage; what is not known to be permitted is not."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Terms:
    """What a licence says of copies of the footage.

    Attributes:
        id: The licence in the Hub's spelling (``cc-by-4.0``), ``""`` where the string is no licence that is known.
        redistribute: Whether copies may be passed on, whole or cut.
        derivatives: Whether changed pictures may be passed on, such as a frame with an overlay.
        attribution: Whether the source must be named.
        noncommercial: Whether all of it holds for noncommercial use only.
        share_alike: Whether what is made of it must be passed on under the same licence.
    """

    id: str = ""
    redistribute: bool = False
    derivatives: bool = False
    attribution: bool = False
    noncommercial: bool = False
    share_alike: bool = False

    @property
    def pictures(self) -> bool:
        """Whether pictures of the footage with drawings on top may be shown."""
        return self.redistribute and self.derivatives


@dataclass(frozen=True)
class WordsLicence:
    """The licence of annotations, which what is made of them inherits.

    Attributes:
        name: For people.
        id: In the Hub's spelling.
        link: Where work and licence are to be found.
    """

    name: str
    id: str
    link: str


WORDS_LICENCES = {
    "action100m": WordsLicence(
        "FAIR Noncommercial Research License",
        "fair-noncommercial-research-license",
        "https://huggingface.co/datasets/facebook/action100m-preview",
    )
}
"""Kind of source, as a recipe names it, -> the licence of its annotations."""

_NOTHING = Terms()
_FREE = Terms(redistribute=True, derivatives=True)
_NAMED = Terms(redistribute=True, derivatives=True, attribution=True)

_BARE = (
    ("cc0-1.0", _FREE, r"cc-?(?:0|zero)(?:-1\.0)?(?:-universal)?(?:-public-domain-dedication)?"),
    ("pdm-1.0", _FREE, r"public-?domain(?:-mark)?(?:-1\.0)?|pdm(?:-1\.0)?"),
    ("unlicense", _FREE, r"unlicense"),
    ("apache-2.0", _NAMED, r"apache(?:-software)?(?:-v)?-?2(?:\.0)?"),
    ("mit", _NAMED, r"mit"),
    ("bsd-2-clause", _NAMED, r"bsd-2-clause"),
    ("bsd-3-clause", _NAMED, r"bsd-3-clause"),
)
_CC = re.compile(
    r"cc-by(?P<nc>-nc)?(?P<sa>-sa)?(?P<nd>-nd)?"
    r"(?:-v?(?P<version>[1-4](?:\.[05])?)(?:-(?:international|unported|generic|igo|(?!nc|sa|nd)[a-z]{2}))?)?"
)
_SPELLED = (
    (r"^(?:creative-commons|cc)-attribution|^attribution(?=-.*\d)", "cc-by"),
    (r"^creative-commons-", "cc-"),
    (r"non-?commercial", "nc"),
    (r"share-?alike", "sa"),
    (r"no-?deriv(?:ative)?s", "nd"),
    (r"\b(?:the|licen[cs]e|version)\b", ""),
    (r"-+", "-"),
)
_ADDRESSES = (
    (r"licenses/([a-z-]+)/([0-9.]+)(?:/(?:deed|legalcode)[a-z.-]*|/[a-z]{2})?", r"cc-\1-\2"),
    (r"publicdomain/zero/1\.0(?:/(?:deed|legalcode)[a-z.-]*)?", "cc0"),
    (r"publicdomain/mark/1\.0(?:/(?:deed|legalcode)[a-z.-]*)?", "pdm"),
)
_SITE = re.compile(r"(?:https?://)?(?:www\.)?creativecommons\.org/")
_BRACKETS = re.compile(r"([^()]+)\(([^()]+)\)([^()]*)")
_YOUTUBE = ("creative commons attribution", "reuse allowed")


def terms(licence: str | None) -> Terms:
    """What a licence string permits.

    Only a string that is a known licence from its first to its last letter counts: Creative Commons by identifier,
    name or address, the public domain, and a few free licences of software. Anything else permits nothing: ``""``,
    the standard licence of YouTube, terms of a web site, and licences of databases (ODbL, ODC-By), which do not cover
    what is in them.

    Args:
        licence: As a source gives it, or ``None``.
    """
    text = (licence or "").strip().lower()
    brackets = _BRACKETS.fullmatch(text)
    if not brackets:
        return _plain(text)
    outer = f"{brackets[1].strip()} {brackets[3].strip()}".strip()
    if (re.sub(r" licen[cs]e$", "", outer), brackets[2].strip()) == _YOUTUBE:
        return _plain("cc-by-3.0")
    found = _plain(outer)
    return found if found == _plain(brackets[2]) else _NOTHING


def _plain(text: str) -> Terms:
    """Of a string without brackets, in lower case."""
    site = _SITE.match(text)
    name = _from_address(text[site.end() :].rstrip("/")) if site else _normal(text)
    for known, permits, pattern in _BARE:
        if re.fullmatch(pattern, name):
            return replace(permits, id=known)
    found = _CC.fullmatch(name)
    if not found or (found["sa"] and found["nd"]):
        return _NOTHING
    version = found["version"] or ""
    number = version if "." in version or not version else f"{version}.0"
    return Terms(
        "-".join(["cc-by", *(part for part in ("nc", "sa", "nd") if found[part]), *filter(None, [number])]),
        redistribute=True,
        derivatives=not found["nd"],
        attribution=True,
        noncommercial=bool(found["nc"]),
        share_alike=bool(found["sa"]),
    )


def _normal(text: str) -> str:
    """Words joined by hyphens, in the short spelling of Creative Commons."""
    name = re.sub(r"[\s_,/-]+", "-", text.strip())
    for pattern, short in _SPELLED:
        name = re.sub(pattern, short, name)
    return name.strip("-")


def _from_address(path: str) -> str:
    for pattern, short in _ADDRESSES:
        if re.fullmatch(pattern, path):
            return re.sub(pattern, short, path)
    return ""
