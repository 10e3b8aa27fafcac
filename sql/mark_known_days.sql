-- Marks the days that are known and not frozen, of the application $1 or of all, that lie at least in part between $2 and
-- $3. Their rows may be gone.
INSERT INTO stat_dirty (app_id, day)
SELECT app_id, day
FROM stat_days
WHERE ($1::integer IS NULL OR app_id = $1) AND frozen_at IS NULL AND from_at < $3 AND until_at > $2
