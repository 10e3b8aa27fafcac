-- What of the statistics is still to be computed: whether somebody computes them; the marked days and since when the first
-- of them waits (seconds); the times whose rows are to be read; and the rows that came for frozen days.
SELECT EXISTS (SELECT FROM followers WHERE name = $1),
       (SELECT count(*) FROM (SELECT DISTINCT app_id, day FROM stat_dirty WHERE $2::integer IS NULL OR app_id = $2) d),
       (SELECT extract(epoch FROM clock_timestamp() - min(marked_at))::double precision
        FROM stat_dirty WHERE $2::integer IS NULL OR app_id = $2),
       (SELECT count(*) FROM stat_backlog WHERE $2::integer IS NULL OR app_id IS NULL OR app_id = $2),
       (SELECT coalesce(sum(frozen_rows), 0)::bigint FROM stat_days
        WHERE frozen_rows > 0 AND ($2::integer IS NULL OR app_id = $2))
