-- Stores counts of the application $1 in slots of $2 seconds: $3 lenses, $4 and $5 labels, $6 times, $7 counts. Labels of
-- each row are a text, because unnest would flatten arrays of arrays.
INSERT INTO alert_buckets (app_id, seconds, lens_id, series, labels, at, packed)
SELECT $1, $2, lens_id, series, ARRAY(SELECT t FROM jsonb_array_elements_text(labels::jsonb) WITH ORDINALITY AS e (t, n)
                                      ORDER BY n), at, packed
FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::timestamptz[], $7::bytea[])
    AS b (lens_id, series, labels, at, packed)
