-- Once, even if the answer to a first try was lost.
INSERT INTO workers (id, host, pid, version, slots) VALUES (%(worker_id)s, %(host)s, %(pid)s, %(version)s, %(slots)s)
ON CONFLICT (id) DO NOTHING
