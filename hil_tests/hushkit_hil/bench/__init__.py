"""One bench run: from a spec and a scenario to a judged result."""
