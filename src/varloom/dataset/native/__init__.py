"""The encodings of Parquet, in native code that lets go of Python's lock."""
