"""Bench of the generated kernels against CMSIS-DSP: one program per core, bit comparison, modelled cycles."""
