-- Deletes at most $1 entries of the ledger that are older than an hour and that every follower has read. The last two
-- lines are of entries that came with a dump from another server, whose numbers say nothing here. Returns how many.
WITH pruned AS (
    DELETE FROM batches
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM batches
        WHERE entered_at < now() - interval '1 hour'
          AND (xid < (SELECT coalesce(min(coalesce(pg_snapshot_xmin(seen), position_xid, '0'::xid8)),
                                      pg_snapshot_xmin(pg_current_snapshot()))
                      FROM followers WHERE NOT missed)
               OR entered_at < now() - interval '8 days')
        LIMIT $1))
    RETURNING 1
)
SELECT count(*) FROM pruned
