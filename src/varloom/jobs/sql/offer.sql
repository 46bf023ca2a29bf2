UPDATE workers SET engines = %(engines)s, serves = %(serves)s WHERE id = %(worker_id)s AND stopped_at IS NULL
