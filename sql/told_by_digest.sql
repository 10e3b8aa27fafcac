-- What the digest $1 tells the channel $2, the oldest alert first.
SELECT e.id, CASE e.state WHEN 'corrected' THEN 'corrected' WHEN 'superseded' THEN 'corrected' WHEN 'resolved' THEN 'resolved'
             ELSE 'firing' END, t.at, e.severity, e.title, r.name, coalesce(a.name, ''), k.labels::text, e.value, e.threshold,
       e.began_at, e.ended_at
FROM alert_outbox o
JOIN alert_transitions t ON t.episode_id = o.episode_id AND t.seq = o.seq
JOIN alert_episodes e ON e.id = o.episode_id
JOIN alert_keys k ON k.id = e.key_id
JOIN alert_rules r ON r.id = e.rule_id
LEFT JOIN applications a ON a.id = e.app_id
WHERE o.digest = $1 AND o.channel = $2
ORDER BY e.began_at, e.id
LIMIT 1000
