-- Notes which source brought rows of which application in the last ten minutes, by the ledger.
INSERT INTO alert_feeds (host, source, app_id, hour)
SELECT f.host, f.source, c.app_id, max(coalesce(c.hour, b.hours[1]))
FROM batches b
JOIN log_files f ON f.id = b.file_id
CROSS JOIN unnest(b.apps, b.hours) AS c (app_id, hour)
WHERE b.kind = 'rows' AND b.entered_at > now() - interval '10 minutes' AND f.source <> 'replay'
GROUP BY f.host, f.source, c.app_id
ORDER BY f.host, f.source, c.app_id
ON CONFLICT (host, source, app_id) DO UPDATE SET hour = excluded.hour WHERE alert_feeds.hour < excluded.hour
