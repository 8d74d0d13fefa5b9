"""The main job in one run: a headset designed, built, proven on QEMU and steered through a shadow."""
