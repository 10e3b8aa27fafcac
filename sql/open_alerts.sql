-- The open alerts: rule, application (its public key), labels, and when they were found, in microseconds since 1970.
SELECT r.name, coalesce(a.app_key, ''), k.labels::text, (extract(epoch FROM t.made_at) * 1000000)::bigint
FROM alert_episodes e
JOIN alert_rules r ON r.id = e.rule_id
JOIN alert_keys k ON k.id = e.key_id
JOIN alert_transitions t ON t.episode_id = e.id AND t.seq = 1
LEFT JOIN applications a ON a.id = e.app_id
WHERE e.ended_at IS NULL
