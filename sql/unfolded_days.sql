-- What keeps a month from being dropped, where the follower $1 computes statistics: days that lie in part between $2 and $3
-- and are not computed, or whose segments are older than their statistics; whether rows of that time are not assigned to
-- days yet; and whether changes of it are not taken.
SELECT (SELECT count(*) FROM (SELECT DISTINCT d.app_id, d.day FROM stat_dirty d JOIN stat_days s USING (app_id, day)
                              WHERE s.frozen_at IS NULL AND s.from_at < $3 AND s.until_at > $2
                              UNION
                              SELECT s.app_id, s.day FROM stat_days s
                              WHERE s.segments_at IS NOT NULL AND s.segments_generation < s.generation
                                AND s.frozen_at IS NULL AND s.from_at < $3 AND s.until_at > $2) days),
       EXISTS (SELECT FROM stat_backlog WHERE from_at < $3 AND until_at > $2),
       coalesce((SELECT f.missed OR EXISTS (
                     SELECT FROM batches b
                     WHERE b.xid >= pg_snapshot_xmin(f.seen) AND NOT pg_visible_in_snapshot(b.xid, f.seen)
                       AND b.kind <> 'expired' AND b.first_at < $3 AND b.last_at >= $2)
                 FROM followers f WHERE f.name = $1), true)
