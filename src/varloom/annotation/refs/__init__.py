"""The library of releases of reference data: installed once, checked, never changed."""
