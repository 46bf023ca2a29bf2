"""One module or package a source; none imports another. `varloom.annotation.registry` lists them."""
