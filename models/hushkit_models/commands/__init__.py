"""Subcommands of the models."""
