SELECT stage, account_id, accounts.name AS account_name, reason, paused_at
FROM pauses LEFT JOIN accounts ON accounts.id = pauses.account_id
ORDER BY paused_at DESC
