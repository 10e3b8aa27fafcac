-- Takes or renews a lease: $1 its name, $2 the holder, $3 its term. No row: somebody else holds it. A holder whose
-- lease has expired gets a new fence, because others may have worked meanwhile. A lease that expires later than any
-- lease can was taken before the database's clock was set back.
INSERT INTO leases AS held (name, holder, fence, expires_at)
VALUES ($1, $2, 1, clock_timestamp() + $3::bigint * interval '1 microsecond')
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder,
    fence = held.fence + CASE
        WHEN held.holder = excluded.holder AND held.expires_at > clock_timestamp() THEN 0 ELSE 1 END,
    expires_at = clock_timestamp() + $3::bigint * interval '1 microsecond'
WHERE held.holder = excluded.holder
   OR held.expires_at <= clock_timestamp()
   OR held.expires_at > clock_timestamp() + 2 * $3::bigint * interval '1 microsecond'
RETURNING fence
