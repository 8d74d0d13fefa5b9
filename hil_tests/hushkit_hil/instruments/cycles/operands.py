"""What an instruction is to a pipeline: its kind, the registers it reads (and how early), and those it writes."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from hushkit_hil.instruments.cycles.disassembly import UNKNOWN, Instruction

_CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
_ALIASES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12", "r13": "sp", "r14": "lr", "r15": "pc"}
_REGISTER = re.compile(r"\b(r1[0-5]|r[0-9]|sb|sl|fp|ip|sp|lr|pc|[sdq][0-9]+)\b")
FLAGS = "flags"


class Kind(Enum):
    """Classes that pipelines treat alike."""

    ALU = auto()  # add, subtract, logic, compare
    MOVE = auto()  # register and immediate moves, shifts and rotations by themselves
    BITS = auto()  # bit fields, extensions, packing, saturation, parallel add: the DSP side of the ALU
    MAC = auto()  # every multiply and multiply-accumulate
    DIVIDE = auto()
    LOAD = auto()  # one register
    STORE = auto()
    LOAD_MANY = auto()  # ldrd, ldm, pop, vldm, vpop
    STORE_MANY = auto()
    BRANCH = auto()  # immediate target
    BRANCH_REGISTER = auto()
    TABLE_BRANCH = auto()
    IT = auto()
    NOP = auto()
    SYSTEM = auto()
    FP_ADD = auto()  # add, subtract, compare, convert, absolute, negate
    FP_MUL = auto()
    FP_MAC = auto()
    FP_DIVIDE = auto()
    FP_MOVE = auto()
    VECTOR_LOAD = auto()  # Helium
    VECTOR_STORE = auto()
    VECTOR_MAC = auto()
    VECTOR_ALU = auto()
    LOOP = auto()  # dls, wls, le and their tail-predicated forms


@dataclass(frozen=True, slots=True)
class Effects:
    """Registers and shape of one instruction.

    ``early`` are operands wanted before the ALU: addresses, operands that pass the shifter. ``accumulators`` are
    wanted after the multiplier. ``data`` are registers a store writes to memory. ``count`` is the number of registers
    moved by a multiple transfer (1 otherwise).
    """

    kind: Kind
    reads: frozenset[str]
    early: frozenset[str]
    accumulators: frozenset[str]
    data: frozenset[str]
    writes: frozenset[str]
    base_update: str | None
    count: int
    shifted_operand: bool
    register_offset: bool
    word: bool
    offset: int
    conditional_branch: bool


_MAC = re.compile(
    r"^(mul|mla|mls|smull|umull|smlal|umlal|umaal|smla[bt][bt]|smul[bt][bt]|smlaw[bt]|smulw[bt]|smlal[bt][bt]|"
    r"smlad|smladx|smlsd|smlsdx|smlald|smlaldx|smlsld|smlsldx|smuad|smuadx|smusd|smusdx|smmul|smmulr|smmla|smmlar|"
    r"smmls|smmlsr|usad8|usada8)$"
)
_LONG_MAC = re.compile(r"^(smlal|umlal|umaal|smlald|smlaldx|smlsld|smlsldx|smlal[bt][bt])$")
_BITS = re.compile(
    r"^(bfi|bfc|sbfx|ubfx|rbit|rev|rev16|revsh|clz|sxtb|sxth|uxtb|uxth|sxtb16|uxtb16|[su]xta(b|h|b16)|pkhbt|pkhtb|"
    r"ssat|usat|ssat16|usat16|qd?(add|sub)|([suq]|uq|sh|uh)(add|sub)(8|16)|([suq]|uq|sh|uh)(asx|sax)|sel)$"
)
_MOVE = re.compile(r"^(mov|movw|movt|mvn|lsl|lsr|asr|ror|rrx|adr)$")
_PLAIN = {
    "add",
    "adc",
    "sub",
    "sbc",
    "rsb",
    "and",
    "orr",
    "orn",
    "eor",
    "bic",
    "cmp",
    "cmn",
    "tst",
    "teq",
    "neg",
    "addw",
    "subw",
}
_NO_RESULT = {"cmp", "cmn", "tst", "teq"}
_EARLY_BITS = {"sbfx", "ubfx", "rbit", "rev", "rev16", "revsh"}


def stem_of(mnemonic: str) -> tuple[str, bool, bool]:
    """Split a mnemonic: (stem without width, condition and flag suffix; sets flags; is conditional)."""
    name = re.sub(r"\.(w|n)$", "", mnemonic)
    if _known(name):
        return name, False, False
    conditional = re.match(rf"^(.*?)({_CONDITIONS})$", name)
    if conditional and _known(conditional[1]):
        return conditional[1], False, True
    if name.endswith("s") and _known(name[:-1]):
        return name[:-1], True, False
    if conditional and conditional[1].endswith("s") and _known(conditional[1][:-1]):
        return conditional[1][:-1], True, True
    return name, False, False


def _known(name: str) -> bool:
    return bool(
        name in _PLAIN
        or name in {"b", "bl", "bx", "blx", "cbz", "cbnz", "sdiv", "udiv", "ldr", "str", "ldm", "stm", "push", "pop"}
        or _MAC.match(name)
        or _BITS.match(name)
        or _MOVE.match(name)
        or re.match(r"^(ldr|str)(b|h|sb|sh|d|ex|exb|exh)$|^(ldm|stm)(ia|db|fd|ea)$", name)
    )


def _registers(text: str) -> list[str]:
    return [_ALIASES.get(name, name) for name in _REGISTER.findall(text)]


def _list_registers(text: str) -> list[str]:
    inside = re.search(r"\{([^}]*)\}", text)
    if not inside:
        return []
    found: list[str] = []
    for part in inside[1].split(","):
        span = re.match(r"^\s*([a-z]+)(\d+)-\s*([a-z]+)?(\d+)\s*$", part)
        if span:
            found += [f"{span[1]}{index}" for index in range(int(span[2]), int(span[4]) + 1)]
        else:
            found += _registers(part)
    return found


@lru_cache(maxsize=65536)
def effects_of(instruction: Instruction) -> Effects:  # noqa: C901, PLR0911 - a decision table reads best top to bottom
    """Classify one instruction."""
    mnemonic = instruction.mnemonic
    if mnemonic.startswith("v"):
        return _vector_effects(instruction)
    if re.match(r"^(dls|wls|le|letp|dlstp|wlstp|lctp)(\.|$)", mnemonic):
        return _effects(Kind.LOOP, reads=_registers(instruction.operands))
    if mnemonic == UNKNOWN:
        return _effects(Kind.ALU)
    stem, sets_flags, conditional = stem_of(mnemonic)
    if stem == "it" or re.match(r"^it[te]{1,3}$", stem):
        return _effects(Kind.IT, reads=[FLAGS])
    if stem in {"nop", "yield", "sev", "wfi", "wfe"}:
        return _effects(Kind.NOP)
    if stem in {"b", "bl", "cbz", "cbnz"}:
        reads = _registers(instruction.operands.rsplit(",", 1)[0]) if stem.startswith("cb") else []
        return _effects(
            Kind.BRANCH, reads=reads, writes=["lr"] if stem == "bl" else [], branch=conditional or stem.startswith("cb")
        )
    if stem in {"bx", "blx"}:
        return _effects(Kind.BRANCH_REGISTER, reads=_registers(instruction.operands), branch=conditional)
    if stem in {"tbb", "tbh"}:
        return _effects(Kind.TABLE_BRANCH, reads=_registers(instruction.operands))
    if re.match(r"^(ldr|str|ldm|stm|push|pop)", stem):
        return _memory_effects(stem, instruction.operands)
    if stem in {"sdiv", "udiv"}:
        names = _registers(instruction.operands)
        return _effects(Kind.DIVIDE, reads=names[1:] or names, writes=names[:1])
    if _MAC.match(stem):
        return _mac_effects(stem, instruction.operands)
    if stem in _PLAIN or _MOVE.match(stem) or _BITS.match(stem):
        return _data_effects(stem, instruction.operands, sets_flags=sets_flags, conditional=conditional)
    return _effects(Kind.SYSTEM, reads=_registers(instruction.operands))


def _effects(
    kind: Kind,
    *,
    reads: list[str] | None = None,
    early: list[str] | None = None,
    accumulators: list[str] | None = None,
    data: list[str] | None = None,
    writes: list[str] | None = None,
    base_update: str | None = None,
    count: int = 1,
    shifted: bool = False,
    register_offset: bool = False,
    word: bool = True,
    offset: int = 0,
    branch: bool = False,
) -> Effects:
    return Effects(
        kind=kind,
        reads=frozenset(reads or ()),
        early=frozenset(early or ()),
        accumulators=frozenset(accumulators or ()),
        data=frozenset(data or ()),
        writes=frozenset(writes or ()),
        base_update=base_update,
        count=count,
        shifted_operand=shifted,
        register_offset=register_offset,
        word=word,
        offset=offset,
        conditional_branch=branch,
    )


def _mac_effects(stem: str, operands: str) -> Effects:
    names = _registers(operands)
    if _LONG_MAC.match(stem):
        return _effects(Kind.MAC, reads=names[2:], accumulators=names[:2], writes=names[:2])
    if stem in {"smull", "umull"}:
        return _effects(Kind.MAC, reads=names[2:], writes=names[:2])
    if len(names) == 4:
        return _effects(Kind.MAC, reads=names[1:3], accumulators=names[3:], writes=names[:1])
    return _effects(Kind.MAC, reads=names[1:] if len(names) > 2 else names, writes=names[:1])


def _data_effects(stem: str, operands: str, *, sets_flags: bool, conditional: bool) -> Effects:
    names = _registers(operands)
    has_result = stem not in _NO_RESULT
    writes = names[:1] if has_result else []
    two_operand_form = has_result and len(names) <= 2 and not _MOVE.match(stem) and not _BITS.match(stem)
    reads = names if not has_result or (two_operand_form and (len(names) < 2 or "#" not in operands)) else names[1:]
    if two_operand_form and operands.count(",") == 1:
        reads = names
    if _MOVE.match(stem) and stem != "mov" and operands.count(",") == 1 and stem in {"lsl", "lsr", "asr", "ror"}:
        reads = names
    if stem in {"movt", "bfi", "bfc"}:
        reads = names
    if conditional:
        reads = [*reads, *names[:1], FLAGS]
    if stem in {"adc", "sbc", "rrx", "sel"}:
        reads = [*reads, FLAGS]
    inline_shift = re.search(r", (lsl|lsr|asr|ror) #\d+|, rrx$", operands) is not None
    shifted = (inline_shift and stem in _PLAIN | {"mvn"}) or (stem in _PLAIN and _shifted_constant(operands))
    early: list[str] = []
    if inline_shift and (stem in _PLAIN | {"mvn", "pkhbt", "pkhtb"}):
        early = names[-1:]
    kind = Kind.BITS if _BITS.match(stem) else Kind.MOVE if _MOVE.match(stem) else Kind.ALU
    if stem in _EARLY_BITS:
        early = reads
    elif stem in {"pkhbt", "bfi"} or re.match(r"^[su]xta", stem):
        early = names[-1:]
    elif stem == "pkhtb":
        early = names[1:]
    if sets_flags or not has_result:
        writes = [*writes, FLAGS]
    return _effects(kind, reads=reads, early=early, writes=writes, shifted=shifted)


def _shifted_constant(operands: str) -> bool:
    found = re.search(r"#(\d+)$", operands)
    if not found:
        return False
    value = int(found[1]) & 0xFFFFFFFF
    low = value & 0xFF
    pattern = value in {low * 0x01010101, low * 0x00010001} or value == ((value >> 8) & 0xFF) * 0x01000100
    return value > 0xFFF and not pattern


def _memory_effects(stem: str, operands: str) -> Effects:
    if stem.startswith(("push", "pop", "ldm", "stm")):
        moved = _list_registers(operands)
        base = "sp" if stem in {"push", "pop"} else _registers(operands)[0]
        updates = base if stem in {"push", "pop"} or "!" in operands else None
        if stem.startswith(("pop", "ldm")):
            return _effects(Kind.LOAD_MANY, early=[base], writes=moved, base_update=updates, count=len(moved))
        return _effects(Kind.STORE_MANY, early=[base], data=moved, base_update=updates, count=len(moved))
    moved = _registers(operands.split("[", maxsplit=1)[0])
    address = _registers(operands[operands.find("[") :]) if "[" in operands else ["pc"]
    offset_text = re.search(r"\[[^\]]*#(-?\d+)", operands)
    post = re.search(r"\](!|, )", operands)
    shape = {
        "early": address,
        "base_update": address[0] if post else None,
        "register_offset": len(address) > 1,
        "offset": int(offset_text[1]) if offset_text else 0,
    }
    many = stem in {"ldrd", "strd"}
    if stem.startswith("ldr"):
        return _effects(
            Kind.LOAD_MANY if many else Kind.LOAD,
            writes=moved,
            count=len(moved),
            word=stem in {"ldr", "ldrd", "ldrex"},
            **shape,  # type: ignore[arg-type]
        )
    return _effects(Kind.STORE_MANY if many else Kind.STORE, data=moved, count=len(moved), **shape)  # type: ignore[arg-type]


def _vector_effects(instruction: Instruction) -> Effects:  # noqa: PLR0911 - a decision table
    name = instruction.mnemonic
    stem = name.split(".")[0]
    operands = instruction.operands
    names = _registers(operands)
    helium = bool(re.search(r"\bq\d", operands)) or stem in {"vctp", "vpst", "vpt"} or stem.startswith(("vpst", "vpt"))
    if helium:
        return _helium_effects(stem, operands, names)
    if stem.startswith(("vldm", "vpop")):
        moved = _list_registers(operands)
        base = "sp" if stem == "vpop" else names[0]
        return _effects(Kind.LOAD_MANY, early=[base], writes=moved, base_update=base, count=_words(moved))
    if stem.startswith(("vstm", "vpush")):
        moved = _list_registers(operands)
        base = "sp" if stem == "vpush" else names[0]
        return _effects(Kind.STORE_MANY, early=[base], data=moved, base_update=base, count=_words(moved))
    if stem == "vldr":
        return _effects(Kind.LOAD, early=names[1:], writes=names[:1])
    if stem == "vstr":
        return _effects(Kind.STORE, early=names[1:], data=names[:1])
    if stem in {"vmov", "vmrs", "vmsr"}:
        count = 2 if len(names) == 4 else 1
        half = len(names) // 2
        return _effects(Kind.FP_MOVE, reads=names[half:], writes=names[:half] or [FLAGS], count=count)
    if re.match(r"^v(n?ml[as]|n?fm[as])$|^vfn?m[as]$", stem):
        return _effects(Kind.FP_MAC, reads=names[1:], accumulators=names[:1], writes=names[:1])
    if stem in {"vdiv", "vsqrt"}:
        return _effects(Kind.FP_DIVIDE, reads=names[1:], writes=names[:1])
    if stem in {"vmul", "vnmul"}:
        return _effects(Kind.FP_MUL, reads=names[1:], writes=names[:1])
    if stem.startswith("vcmp"):
        return _effects(Kind.FP_ADD, reads=names, writes=[FLAGS])
    return _effects(Kind.FP_ADD, reads=names[1:] or names, writes=names[:1])


def _words(moved: list[str]) -> int:
    return sum(2 if name.startswith("d") else 1 for name in moved)


def _helium_effects(stem: str, operands: str, names: list[str]) -> Effects:
    if stem.startswith("vld"):
        moved = [name for name in names if name.startswith("q")]
        address = [name for name in names if not name.startswith("q")]
        updates = address[0] if address and re.search(r"\](!|, )", operands) else None
        return _effects(Kind.VECTOR_LOAD, early=address, writes=moved[:1], base_update=updates)
    if stem.startswith("vst"):
        address = [name for name in names if not name.startswith("q")]
        updates = address[0] if address and re.search(r"\](!|, )", operands) else None
        return _effects(Kind.VECTOR_STORE, early=address, data=names[:1], base_update=updates)
    if re.match(
        r"^v(ml[as]|rml[as]|rmla|fma|fms|qr?dml|qdmla|mladav|rmlaldavh|mlaldav|mul|rmulh|mulh|qr?dmulh|mull)", stem
    ):
        in_core = not names[0].startswith("q")  # a sum across lanes lives in core registers
        sums = [name for name in names if not name.startswith("q")] if in_core else names[:1]
        accumulates = stem.startswith(("vml", "vrml", "vfm", "vqdml", "vqrdml"))
        reads = [name for name in names if name not in sums]
        return _effects(Kind.VECTOR_MAC, reads=reads, accumulators=sums if accumulates else [], writes=sums)
    return _effects(Kind.VECTOR_ALU, reads=names[1:] or names, writes=names[:1])
