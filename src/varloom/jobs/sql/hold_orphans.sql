-- All that a dead worker holds, locked before any of it is changed. By account, since each change numbers an event of its
-- account: whoever changes jobs of several accounts does so in one order.
WITH changed AS (
    SELECT * FROM jobs WHERE worker_id = %(worker_id)s ORDER BY account_id, id FOR UPDATE
)
