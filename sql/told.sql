-- What the message about the transition $2 of the alert $1 tells.
SELECT e.id, t.kind, t.at, e.severity, e.title, r.name, coalesce(a.name, ''), k.labels::text,
       coalesce(t.value, e.value), e.threshold, e.began_at, CASE WHEN t.kind IN ('resolved', 'corrected', 'superseded')
                                                                 THEN e.ended_at END
FROM alert_transitions t
JOIN alert_episodes e ON e.id = t.episode_id
JOIN alert_keys k ON k.id = e.key_id
JOIN alert_rules r ON r.id = e.rule_id
LEFT JOIN applications a ON a.id = e.app_id
WHERE t.episode_id = $1 AND t.seq = $2
