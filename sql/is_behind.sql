-- Whether the follower $1 has something to do: it is not registered, has missed something, has not seen an entry, or has
-- not moved for an hour.
SELECT coalesce(
    (SELECT f.missed OR f.moved_at < now() - interval '1 hour'
            OR EXISTS (SELECT FROM batches b
                       WHERE b.xid >= pg_snapshot_xmin(f.seen) AND NOT pg_visible_in_snapshot(b.xid, f.seen))
     FROM followers f WHERE f.name = $1), true)
