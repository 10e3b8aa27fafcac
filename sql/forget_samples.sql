-- Deletes up to $3 samples of each application, which are older than $1, and of the installation, which are older than $2.
DELETE FROM alert_samples s
USING (SELECT a.id AS app_id, $1 AS before FROM applications a UNION ALL SELECT 0, $2) kept
CROSS JOIN LATERAL (SELECT o.at, o.id FROM alert_samples o
                    WHERE o.app_id = kept.app_id AND o.at < kept.before ORDER BY o.at LIMIT $3) old
WHERE s.app_id = kept.app_id AND s.at = old.at AND s.id = old.id
