"""Proofs, at generation time, that the sums of a kernel cannot overflow for the taps it is given."""

from collections.abc import Sequence

from hushkit_codegen.errors import DesignError
from hushkit_codegen.kernels.correlation import Sum

#: Largest sum of |tap| for which two-way 16-bit products may be added in 32 bits: 65535 * 2^15 < 2^31.
SHORT_SUM_LIMIT = 65535
#: Largest sum of |tap| for which a Q1.31 filter's output is within 32 bits: full scale times 1.0.
Q31_SUM_LIMIT = 2**31


def q15_sum(taps: Sequence[int]) -> tuple[Sum, str]:
    """Choose the narrowest exact accumulator for these taps, and the sentence that proves it.

    Raises:
        DesignError: A tap is no Q1.15 number.
    """
    wide = next((tap for tap in taps if not -(2**15) <= tap < 2**15), None)
    if wide is not None:
        raise DesignError(f"tap {wide} is outside Q1.15 (-32768..32767); scale the filter or use q31")
    total = sum(abs(tap) for tap in taps)
    if total <= SHORT_SUM_LIMIT:
        return Sum.Q15, f"sum |tap| = {total} <= {SHORT_SUM_LIMIT}: 32-bit sums are exact for every input"
    longest = max(1, total * 2**15).bit_length()
    return Sum.Q15_LONG, f"sum |tap| = {total} > {SHORT_SUM_LIMIT}: sums need {longest} bits, kept in 64"


def q31_sum(taps: Sequence[int]) -> str:
    """The sentence that proves a Q1.31 filter's sums and outputs exact.

    Raises:
        DesignError: A tap is no Q1.31 number, or an input exists whose output leaves 32 bits.
    """
    wide = next((tap for tap in taps if not -(2**31) <= tap < 2**31), None)
    if wide is not None:
        raise DesignError(f"tap {wide} is outside Q1.31; raise the filter's exponent")
    total = sum(abs(tap) for tap in taps)
    if total > Q31_SUM_LIMIT:
        raise DesignError(f"sum |tap| = {total}, expected at most 2^31 = {Q31_SUM_LIMIT}; raise the filter's exponent")
    return f"sum |tap| = {total} <= 2^31: no input can overflow sum or output"
