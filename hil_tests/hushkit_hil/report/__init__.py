"""Reports of a bench run: one HTML file that needs nothing else, and JUnit XML."""
