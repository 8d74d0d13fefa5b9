"""Changes of the fit as a person writes them on a command line."""

from hushkit_models.acoustics.errors import AcousticsError
from hushkit_models.acoustics.scenario import PathChange

SYNTAX = "SECONDS:gain=DB,leak=FROM-TO,shift=SAMPLES,paths=P"


def parse_change(text: str) -> PathChange:
    """Read one change of the fit.

    Args:
        text: An instant and at least one effect, as in ``"10:gain=-6"``, ``"10:leak=60-250,shift=2"`` or
            ``"15:paths=inear"``. Effects as in :class:`hushkit_models.acoustics.scenario.PathChange`.

    Returns:
        The change.

    Raises:
        AcousticsError: Anything else.
    """
    instant, colon, effects = text.partition(":")
    values: dict[str, str] = {}
    for effect in effects.split(","):
        name, _, value = effect.partition("=")
        if name in values or not value:
            raise AcousticsError(f"change {text!r}: expected {SYNTAX}, with at least one effect and none twice")
        values[name] = value
    unknown = values.keys() - {"gain", "leak", "shift", "paths"}
    if not colon or unknown:
        found = f"{', '.join(sorted(unknown))} unknown" if unknown else "no instant"
        raise AcousticsError(f"change {text!r}: {found}; expected {SYNTAX}")
    try:
        leak = values.get("leak")
        from_hz, _, to_hz = (leak or "0-0").partition("-")
        return PathChange(
            float(instant),
            gain_db=float(values.get("gain", "0")),
            leak_hz=None if leak is None else (float(from_hz), float(to_hz)),
            shift_samples=int(values.get("shift", "0")),
            paths=values.get("paths"),
        )
    except ValueError as err:
        raise AcousticsError(f"change {text!r}: not a number where one belongs; expected {SYNTAX}") from err
