-- Marks days as changed: $1 applications, $2 days, $3 and $4 where they begin and end. A day that is there keeps its
-- borders. In one order, so that two that mark the same days do not wait for each other in a circle.
WITH touched AS (
    SELECT * FROM unnest($1::integer[], $2::text[]::date[], $3::timestamptz[], $4::timestamptz[])
        AS t (app_id, day, from_at, until_at)
), added AS (
    INSERT INTO stat_days (app_id, day, from_at, until_at)
    SELECT app_id, day, from_at, until_at FROM touched ORDER BY app_id, day
    ON CONFLICT (app_id, day) DO NOTHING
)
INSERT INTO stat_dirty (app_id, day) SELECT app_id, day FROM touched
