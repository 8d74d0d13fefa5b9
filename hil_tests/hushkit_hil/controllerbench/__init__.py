"""The table of controllers: every algorithm on every development scenario, what it costs on a core, and its peers."""
