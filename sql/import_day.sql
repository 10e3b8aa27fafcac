-- Takes the day $2 of the application $1, from $3 until $4, for statistics of another product, unless it has statistics of
-- its own. Returns a row if it is taken.
INSERT INTO stat_days AS s (app_id, day, from_at, until_at, generation, folded_at, frozen_at, imported_at)
VALUES ($1, $2::text::date, $3, $4, 1, clock_timestamp(), now(), now())
ON CONFLICT (app_id, day) DO UPDATE
SET generation = s.generation + 1, folded_at = clock_timestamp(), imported_at = now(), expired = false,
    frozen_at = coalesce(s.frozen_at, now())
WHERE s.imported_at IS NOT NULL OR (s.rows = 0 AND s.frozen_at IS NULL)
RETURNING true
