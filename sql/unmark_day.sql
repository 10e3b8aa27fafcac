-- Deletes the marks $3 of a day.
DELETE FROM stat_dirty WHERE app_id = $1 AND day = $2::text::date AND id = ANY ($3)
