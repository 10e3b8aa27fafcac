-- Adds the segment $3 of the day $2 of the application $1, made by the definitions $4.
INSERT INTO stat_segments (app_id, day, part, generation, definition, data)
SELECT s.app_id, s.day, $3, s.generation, $4, $5 FROM stat_days s WHERE s.app_id = $1 AND s.day = $2::text::date
