-- Makes one message of those of a group on a channel: at once if one is of a severity high or critical, else when the first of
-- them is $1 microseconds old; and $2 after the last message of the group. A group of one needs no other message.
WITH ready AS (
    SELECT o.channel, o.group_key, count(*) AS size
    FROM alert_outbox o JOIN alert_episodes e ON e.id = o.episode_id
    WHERE o.state = 'grouped'
    GROUP BY o.channel, o.group_key
    HAVING (bool_or(e.severity IN ('high', 'critical'))
            OR min(o.made_at) <= clock_timestamp() - $1::bigint * interval '1 microsecond')
       AND NOT EXISTS (SELECT FROM alert_outbox b
                       WHERE b.group_key = o.group_key AND b.channel = o.channel
                         AND b.state IN ('due', 'sent', 'dead', 'moved')
                         AND greatest(b.made_at, b.due_at) > clock_timestamp() - $2::bigint * interval '1 microsecond')
), made AS (
    SELECT channel, group_key, coalesce((SELECT max(o.seq) FROM alert_outbox o WHERE o.episode_id = 0), 0)
                               + row_number() OVER (ORDER BY channel, group_key) AS number
    FROM ready WHERE size > 1
), enqueued AS (
    INSERT INTO alert_outbox (episode_id, seq, channel, group_key) SELECT 0, number, channel, group_key FROM made
)
UPDATE alert_outbox o
SET state = CASE WHEN r.size > 1 THEN 'digested' ELSE 'due' END, digest = m.number,
    due_at = clock_timestamp(), done_at = CASE WHEN r.size > 1 THEN clock_timestamp() END
FROM ready r LEFT JOIN made m ON m.channel = r.channel AND m.group_key = r.group_key
WHERE o.channel = r.channel AND o.group_key = r.group_key AND o.state = 'grouped'
