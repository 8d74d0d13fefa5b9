"""One line on what the design stage found about a filter, in integers, so that it may stand in generated files."""

from hushkit_codegen.ir.model import FilterQuality


def describe_quality(item: FilterQuality) -> str:
    """Say what was found about one filter, or what was given up and why."""
    if item.warning and item.name in {"feedforward", "feedback"}:
        return f"{item.name}: {item.warning}"
    if item.name == "feedforward":
        text = (
            f"{_db(item.attenuation_mdb)} attenuation in its scene, worst octave {_db(item.worst_octave_mdb)}, "
            f"{_db(item.fit_error_mdb)} from the causal optimum"
        )
    elif item.name.startswith("prior "):
        text = f"{_db(item.attenuation_mdb)} in that noise before anything is learned"
    elif item.name == "feedback":
        text = (
            f"{_db(item.attenuation_mdb)} beside the feedforward optimum, waterbed {_db(-item.worst_octave_mdb)}, "
            f"margins {_db(item.margin_mdb)} and {item.margin_mdeg // 1000} degrees, "
            f"programme within {_db(item.fit_error_mdb)}"
        )
    elif item.name == "transparency":
        text = f"open ear within {_db(item.worst_octave_mdb)}, rms {_db(item.fit_error_mdb, places=2)}"
    else:
        text = f"model error {_db(item.fit_error_mdb)}"
    return f"{item.name}: {text}" + (f"; {item.warning}" if item.warning else "")


def _db(value_mdb: int, *, places: int = 1) -> str:
    unit = 10 ** (3 - places)
    rounded = (abs(value_mdb) + unit // 2) // unit
    sign = "-" if value_mdb < 0 and rounded else ""
    whole, rest = divmod(rounded, 10**places)
    return f"{sign}{whole}.{rest:0{places}d} dB"
