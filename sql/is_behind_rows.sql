-- Whether the statistics of application $2 between $3 and $4 do not follow its rows yet: times are still to be read, or the
-- follower $1 has not taken a change, or has missed one, or is not there.
SELECT EXISTS (SELECT FROM stat_backlog
               WHERE (app_id IS NULL OR app_id = $2) AND from_at < $4 AND until_at > $3)
    OR coalesce((SELECT f.missed OR EXISTS (
                     SELECT FROM batches b
                     WHERE b.xid >= pg_snapshot_xmin(f.seen) AND NOT pg_visible_in_snapshot(b.xid, f.seen)
                       AND b.kind <> 'expired' AND b.first_at < $4 AND b.last_at >= $3 AND $2 = ANY (b.apps))
                 FROM followers f WHERE f.name = $1), true)
