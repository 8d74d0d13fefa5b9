"""The classifier's front end on bare cores: the same bits as its twin, and what it costs."""
