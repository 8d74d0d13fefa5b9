"""Subcommands of the agent."""
