"""Network compiler: an INT8 ``.tflite`` file to a plan of operators, offsets and prepared weights."""
