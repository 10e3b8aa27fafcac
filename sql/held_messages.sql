-- The messages that are held because of a silence, another alert, or because an alert flaps: the row, why, whether the alert
-- is open, its key, rule, application (key and public key) and labels.
SELECT o.id, o.state, e.ended_at IS NULL, e.key_id, e.rule_id, e.app_id, coalesce(a.app_key, ''), k.labels::text
FROM alert_outbox o
JOIN alert_episodes e ON e.id = o.episode_id
JOIN alert_keys k ON k.id = e.key_id
LEFT JOIN applications a ON a.id = e.app_id
WHERE o.state IN ('silenced', 'flapping', 'inhibited')
ORDER BY o.id
