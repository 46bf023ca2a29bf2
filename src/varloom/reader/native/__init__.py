"""The native kernel: what reads every byte of a file, compiled from Cython and run without the interpreter's lock."""
