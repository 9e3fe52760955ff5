import subprocess
import sys

import pytest

import hoiset


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_training_code_pulls_in_no_builder_and_no_heavy_package() -> None:
    loaded = loaded_after("import hoiset; hoiset.load_dataset; hoiset.open_index; import hoiset.filter")
    heavy = {"torch", "datasets", "matplotlib", "open3d", "cv2", "scipy", "mediapipe", "hoiset.builder", "pydantic"}
    assert not loaded & heavy
    assert "hoiset.loaders" in loaded


def test_importing_the_package_imports_nothing_else() -> None:
    assert {m for m in loaded_after("import hoiset") if m.startswith("hoiset")} == {"hoiset"}


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hoiset.nothing  # type: ignore[attr-defined]
    assert {"load_dataset", "open_index", "build"} <= set(dir(hoiset))
