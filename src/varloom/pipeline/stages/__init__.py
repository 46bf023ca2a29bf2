"""One module a stage; each has `run(request, report)` and imports no other stage."""
