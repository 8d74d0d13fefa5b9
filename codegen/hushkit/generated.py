"""Which generated code a spec is built from: the committed one of a shipped spec, or one made now."""

from pathlib import Path

from hushkit_codegen.design import design_headset
from hushkit_codegen.emit import emit_headset, write_files

from hushkit.project import build_dir, project_root
from hushkit.spec import HeadsetSpec, load_spec


def generated_code(spec: HeadsetSpec, directory: Path | None = None) -> Path:
    """Folder of the code generated for a spec.

    Args:
        spec: The headset.
        directory: Build folder; None: ``build/<spec>``.

    Returns:
        ``firmware/generated/<spec>`` when the spec equals the shipped one of its name; else ``generated`` in the build
        folder, designed and written now where it is missing or out of date.
    """
    committed = project_root() / "firmware" / "generated" / spec.name
    shipped = project_root() / "codegen" / "specs" / f"{spec.name}.toml"
    if (committed / "hk_config.h").is_file() and shipped.is_file() and load_spec(spec.name) == spec:
        return committed
    folder = (directory or build_dir() / spec.name) / "generated"
    write_files(folder, emit_headset(design_headset(spec)))
    return folder
