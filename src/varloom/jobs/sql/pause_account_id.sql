INSERT INTO pauses (account_id, reason) VALUES (%(account_id)s, %(reason)s)
ON CONFLICT (account_id) DO UPDATE SET reason = excluded.reason
