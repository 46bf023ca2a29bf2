-- For each of the account's waiting jobs: how many go before it.
SELECT id, place - 1 AS ahead FROM waiting_jobs WHERE account_id = %(account_id)s
