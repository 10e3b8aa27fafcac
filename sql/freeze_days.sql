-- Freezes the days that lie at least in part between $1 and $2: a month, which is dropped next. What other months have of
-- the rows of such a day stays.
UPDATE stat_days s
SET frozen_at = coalesce(s.frozen_at, now()),
    rest_rows = CASE WHEN s.from_at >= $1 AND s.until_at <= $2 THEN 0 ELSE (
        SELECT count(*) FROM access_logs l
        WHERE l.app_id = s.app_id AND l.occurred_at >= s.from_at AND l.occurred_at < s.until_at
          AND (l.occurred_at < $1 OR l.occurred_at >= $2)) END
WHERE s.from_at < $2 AND s.until_at > $1
