"""What stops the agent, or a command of it."""


class AgentError(Exception):
    """Root of the errors of this package: says what was found, what was expected and what to do."""


class ConfigError(AgentError):
    """The configuration file cannot be used."""


class SpoolError(AgentError):
    """The spool cannot be opened or written."""


class PortError(AgentError):
    """The serial port cannot be opened."""


class CloudError(AgentError):
    """The cloud client cannot be made: certificates or endpoint."""
