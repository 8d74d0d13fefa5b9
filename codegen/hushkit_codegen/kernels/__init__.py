"""Generated kernels: functions for known taps, stages, block and core that replace generic library calls.

`ir` is the language, `correlation`, `biquad` and `warped` decide the loops, `bounds` proves that nothing overflows,
`printing` turns the result into C.
"""
