"""``croissant.json``: the dataset in the vocabulary of ML Commons Croissant 1.1, for catalogues and their loaders.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoiset.cards.front_matter import layer_splits, licence_entry, robots_of
from hoiset.cards.sources import citation
from hoiset.cards.statistics import describe
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json
from hoiset.shards.features import config_name
from hoiset.shards.index import index_path, read_index
from hoiset.shards.manifest import digest, manifest_path, read_manifest
from hoiset.shards.schema import Member, members

CROISSANT_FILE = "croissant.json"
MAX_OBJECTS = 200
"""More shards than these are told by their patterns alone; the manifest has their digests."""
CLIPS = "clips"
"""Record set of the index."""
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"f8": "cr:Float64", "f4": "cr:Float32", "u1": "cr:UInt8"}
_FORMATS = {
    ".json": "application/json",
    ".npy": "application/octet-stream",
    ".gz": "application/gzip",
    ".glb": "model/gltf-binary",
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
}


def write_croissant(root: Path, version: str) -> Path:
    """Write ``croissant.json`` of a version; its addresses are relative to the file.

    The index is the record set ``clips``. Every member is a record set of its own, of keys and contents: Croissant
    joins what tables hold, not the files of a tar by their names.

    Args:
        root: Dataset root, with index and manifest.
        version: The version that the card speaks of.

    Returns:
        The file. Equal data give equal bytes.

    Raises:
        DatasetError: Index or manifest are missing or damaged, or the disk refuses.
    """
    root = Path(root)
    index, manifest = read_index(root, version), read_manifest(root, version)
    path = root / CROISSANT_FILE
    write_atomic(path, canonical_json(_dataset(root, version, index, manifest), indent=1))
    return path


def _dataset(root: Path, version: str, index: pa.Table, manifest: Mapping[str, Any]) -> dict[str, Any]:
    licence = licence_entry(index, manifest["recipe"])
    there, robots = tuple(layer_splits(index)), robots_of(index)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": f"hoiset-{version}",
        "alternateName": f"hoiset {version}",
        "description": (
            f"4D hand-object interaction from video: {index.num_rows} clips, each with up to two metric 3D hands, "
            "object meshes with 6DoF poses, grasp states and words, seen by a static camera."
        ),
        "license": licence.get("license_name", licence["license"]),
        "version": f"{manifest['schema']}.0.0",
        "isLiveDataset": False,
        "keywords": ["hand-object interaction", "manipulation", "4D", "3D hands", "6DoF poses", "grasps"],
        "citeAs": citation(version, describe(root, index), manifest),
        "distribution": [
            _object(manifest_path(version), "application/json", digest(root / manifest_path(version))["sha256"]),
            _object(index_path(version), "application/x-parquet", digest(root / index_path(version))["sha256"]),
            *_tars(manifest),
            *(part for layer in there for part in _sets(version, layer, manifest, robots)),
        ],
        "recordSet": [
            _clips(version, index.schema),
            *(_records(version, m) for layer in there for m in members(layer, robots)),
        ],
    }


def _object(path: str, kind: str, sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "encodingFormat": kind,
        "sha256": sha256,
    }


def _tars(manifest: Mapping[str, Any], layer: str | None = None) -> list[dict[str, Any]]:
    shards = [entry for entry in manifest["files"] if entry["layer"] is not None]
    if len(shards) > MAX_OBJECTS:
        return []
    return [
        {**_object(s["path"], "application/x-tar", s["sha256"]), "contentSize": f"{s['bytes']} B"}
        for s in shards
        if layer in (None, s["layer"])
    ]


def _sets(version: str, layer: str, manifest: Mapping[str, Any], robots: tuple[str, ...]) -> list[dict[str, Any]]:
    """The shards of a layer, and in them the files of every member."""
    config = config_name(version, layer)
    shards = {
        "@type": "cr:FileSet",
        "@id": config,
        "name": config,
        "description": f"Shards of the {layer} layer.",
        "encodingFormat": "application/x-tar",
        "includes": f"data/{version}/{layer}/*.tar",
    }
    # loaders unpack the tars that are objects of their own, not those of a set
    holders = [{"@id": tar["@id"]} for tar in _tars(manifest, layer)] or [{"@id": config}]
    inside = [
        {
            "@type": "cr:FileSet",
            "@id": f"{config}/{m.name}",
            "name": m.name,
            "description": m.doc,
            "containedIn": holders,
            "encodingFormat": _FORMATS[Path(m.name).suffix],
            "includes": f"*.{m.name}",
        }
        for m in members(layer, robots)
    ]
    return [shards, *inside]


def _clips(version: str, schema: pa.Schema) -> dict[str, Any]:
    fields = [_column(version, field) for field in schema if field.name != "members"]
    return {
        "@type": "cr:RecordSet",
        "@id": CLIPS,
        "name": CLIPS,
        "description": "One record a clip: words, source, licence, states and quality.",
        "key": {"@id": f"{CLIPS}/key"},
        "field": fields,
    }


def _column(version: str, field: pa.Field) -> dict[str, Any]:
    is_list = pa.types.is_list(field.type)
    kind = field.type.value_type if is_list else field.type
    types = {pa.string(): "sc:Text", pa.int32(): "cr:Int32", pa.float64(): "cr:Float64"}
    return {
        "@type": "cr:Field",
        "@id": f"{CLIPS}/{field.name}",
        "name": field.name,
        "dataType": types[kind],
        **({"isArray": True, "arrayShape": "-1"} if is_list else {}),
        "source": {"fileObject": {"@id": index_path(version)}, "extract": {"column": field.name}},
    }


def _records(version: str, member: Member) -> dict[str, Any]:
    config = config_name(version, member.layer)
    source = {"fileSet": {"@id": f"{config}/{member.name}"}}
    name = f"{config}-{member.name.replace('.', '-')}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": member.doc,
        "key": {"@id": f"{name}/key"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/key",
                "name": "key",
                "description": "Of the clip, as in the index.",
                "dataType": "sc:Text",
                "source": {
                    **source,
                    "extract": {"fileProperty": "filename"},
                    "transform": {"regex": r"^([A-Za-z0-9_-]+)\."},
                },
            },
            {
                "@type": "cr:Field",
                "@id": f"{name}/content",
                "name": "content",
                "description": member.doc,
                **_content_type(member),
                "source": {**source, "extract": {"fileProperty": "content"}},
            },
        ],
    }


def _content_type(member: Member) -> dict[str, Any]:
    if member.dtype is None or member.shape is None:
        return {"dataType": "sc:VideoObject" if member.name.endswith(".mp4") else "sc:Text"}
    shape = ",".join("-1" if isinstance(n, str) else str(n) for n in member.shape)
    return {"dataType": _TYPES[member.dtype[1:]], "isArray": True, "arrayShape": shape}
