"""Front door of the toolchain: the command line and the headset spec."""
