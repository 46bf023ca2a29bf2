"""From jobs to tables: the plan of a job, its stages, and how their results are published."""
