"""The serial port, at the edge."""
