INSERT INTO workers (id, host, pid, version, slots) VALUES (%(worker_id)s, %(host)s, %(pid)s, %(version)s, %(slots)s)
