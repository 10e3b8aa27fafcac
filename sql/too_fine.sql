-- The oldest counts in slots of $1 seconds, before $2, of any application and lens.
SELECT a.app_id, b.at
FROM alert_apps a
CROSS JOIN alert_lenses l
CROSS JOIN LATERAL (SELECT c.at FROM alert_buckets c
                    WHERE c.app_id = a.app_id AND c.lens_id = l.id AND c.at < $2 AND c.seconds = $1
                    ORDER BY c.at LIMIT 1) b
LIMIT 1
