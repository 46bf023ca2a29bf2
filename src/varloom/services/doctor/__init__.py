"""What is wrong with an installation, and how it is mended: `varloom doctor`. It changes nothing."""
