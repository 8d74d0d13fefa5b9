"""Bench of the network runtime: one program per core, outputs against tflite-runtime, instructions and cycles."""
