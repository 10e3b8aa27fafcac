-- The last deletions by age, the newest first: $1 maximum number.
SELECT to_char(dropped_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS dropped_at, host, what, name,
       to_char(from_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS from_at,
       to_char(until_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until_at, count
FROM retention_drops
ORDER BY id DESC
LIMIT $1
