"""Subcommands of the fleet."""
