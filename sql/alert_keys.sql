-- The keys of the application $1 that are not quiet since $2, or of which somebody did something later, which matters
-- again if late rows bring the alert back; each with its changes: from the beginning of the episode that is open at $2, or
-- else from $2, and the last one before. A key without any has one row.
SELECT k.id, k.rule_id, k.labels::text, c.at, c.state, c.since_at, c.until_at
FROM alert_keys k
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT max(l.at) FROM alert_changes l
                     WHERE l.key_id = k.id
                       AND l.at <= coalesce((SELECT min(e.began_at) FROM alert_episodes e
                                             WHERE e.key_id = k.id AND e.began_at <= $2
                                               AND (e.ended_at IS NULL OR e.ended_at > $2)
                                               AND e.superseded_by IS NULL AND e.corrected_at IS NULL), $2)),
                    '-infinity') AS from_at) b
LEFT JOIN alert_changes c ON c.key_id = k.id AND c.at >= b.from_at
WHERE k.app_id = $1 AND (k.quiet_at IS NULL OR k.quiet_at > $2
                         OR k.id = ANY (ARRAY(SELECT a.key_id FROM alert_acts a WHERE a.at > $2)))
ORDER BY k.id, c.at
