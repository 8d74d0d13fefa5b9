"""Subcommands of the toolchain."""
