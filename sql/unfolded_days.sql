-- What of the time between $2 and $3 is not computed, where the follower $1 computes statistics, of the application $4 or of
-- all: days that lie in part in it and are not computed, or whose segments are older than their statistics; whether rows of
-- that time are not assigned to days yet; whether changes of it are not taken; and whether any of the days is not computed.
WITH dirty AS (
    SELECT DISTINCT d.app_id, d.day FROM stat_dirty d JOIN stat_days s USING (app_id, day)
    WHERE s.frozen_at IS NULL AND s.from_at < $3 AND s.until_at > $2 AND ($4::integer IS NULL OR d.app_id = $4)
)
SELECT (SELECT count(*) FROM (SELECT * FROM dirty
                              UNION
                              SELECT s.app_id, s.day FROM stat_days s
                              WHERE s.segments_at IS NOT NULL AND s.segments_generation < s.generation
                                AND s.frozen_at IS NULL AND s.from_at < $3 AND s.until_at > $2
                                AND ($4::integer IS NULL OR s.app_id = $4)) days),
       EXISTS (SELECT FROM stat_backlog WHERE from_at < $3 AND until_at > $2
                                          AND ($4::integer IS NULL OR app_id IS NULL OR app_id = $4)),
       coalesce((SELECT f.missed OR EXISTS (
                     SELECT FROM batches b
                     WHERE b.xid >= pg_snapshot_xmin(f.seen) AND NOT pg_visible_in_snapshot(b.xid, f.seen)
                       AND b.kind <> 'expired' AND b.first_at < $3 AND b.last_at >= $2
                       AND ($4::integer IS NULL OR b.apps @> ARRAY[$4::integer]))
                 FROM followers f WHERE f.name = $1), true),
       EXISTS (SELECT FROM dirty)
