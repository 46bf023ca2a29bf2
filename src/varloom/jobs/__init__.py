"""Durable jobs: lifecycle, job rows, queue, workers and rescue. Knows no biology."""
