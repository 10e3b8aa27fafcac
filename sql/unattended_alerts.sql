-- The open alerts of the rules $1 after which nobody looks: alert, rule, key, application (key and public key), labels; the
-- microseconds since it was last found to fire, and since it was last told of (NULL: a message is on its way, or nobody was
-- told); those who were told, and all to whom a message was enqueued since it fires.
SELECT e.id, e.rule_id, e.key_id, e.app_id, coalesce(a.app_key, ''), k.labels::text,
       (extract(epoch FROM clock_timestamp() - f.made_at) * 1000000)::bigint,
       CASE WHEN NOT told.is_open THEN (extract(epoch FROM clock_timestamp() - told.last_at) * 1000000)::bigint END,
       told.channels, told.enqueued
FROM alert_episodes e
JOIN alert_keys k ON k.id = e.key_id
LEFT JOIN applications a ON a.id = e.app_id
CROSS JOIN LATERAL (SELECT t.seq, t.made_at FROM alert_transitions t
                    WHERE t.episode_id = e.id AND t.kind = 'firing' ORDER BY t.seq DESC LIMIT 1) f
CROSS JOIN LATERAL (SELECT coalesce(bool_or(o.state NOT IN ('sent', 'digested', 'dead', 'moved', 'dropped')), false) AS is_open,
                           max(o.done_at) FILTER (WHERE o.state IN ('sent', 'digested')) AS last_at,
                           coalesce(array_agg(DISTINCT o.channel) FILTER (WHERE o.state IN ('sent', 'digested')), '{}')
                               AS channels,
                           coalesce(array_agg(DISTINCT o.channel), '{}') AS enqueued
                    FROM alert_outbox o WHERE o.episode_id = e.id AND o.seq >= f.seq) told
WHERE e.ended_at IS NULL AND e.state = 'active' AND e.rule_id = ANY ($1)
ORDER BY e.id
