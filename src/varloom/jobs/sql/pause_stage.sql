INSERT INTO pauses (stage, reason) VALUES (%(stage)s, %(reason)s)
ON CONFLICT (stage) DO UPDATE SET reason = excluded.reason
