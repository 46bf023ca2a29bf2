"""From a URL to a file on this machine: guarded, resumable, verified. It knows neither jobs nor databases."""
