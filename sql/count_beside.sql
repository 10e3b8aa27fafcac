-- Of the $3 rows that a frozen day has, those that are not in its statistics. Until its month is dropped, these have all
-- that it was computed of.
UPDATE stat_days s
SET frozen_rows = greatest($3 - CASE WHEN EXISTS (
        SELECT FROM retention_drops r
        WHERE r.what = 'rows' AND r.dropped_at >= s.frozen_at AND r.from_at < s.until_at AND r.until_at > s.from_at)
    THEN s.rest_rows ELSE s.rows END, 0)
WHERE s.app_id = $1 AND s.day = $2::text::date AND s.frozen_at IS NOT NULL
