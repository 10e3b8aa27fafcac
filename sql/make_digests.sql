-- Makes a digest for each channel of what is late, once the last of it is $1 microseconds old, and $2 after the last
-- digest of the channel.
WITH ready AS (
    SELECT channel
    FROM alert_outbox
    WHERE state = 'late'
    GROUP BY channel
    HAVING max(made_at) <= clock_timestamp() - $1::bigint * interval '1 microsecond'
), made AS (
    SELECT r.channel, coalesce((SELECT max(o.seq) FROM alert_outbox o WHERE o.episode_id = 0), 0)
                      + row_number() OVER (ORDER BY r.channel) AS number
    FROM ready r
    WHERE NOT EXISTS (SELECT FROM alert_outbox o
                      WHERE o.episode_id = 0 AND o.channel = r.channel AND o.group_key IS NULL
                        AND o.made_at > clock_timestamp() - $2::bigint * interval '1 microsecond')
), enqueued AS (
    INSERT INTO alert_outbox (episode_id, seq, channel) SELECT 0, number, channel FROM made
)
UPDATE alert_outbox o
SET state = 'digested', digest = m.number, done_at = clock_timestamp()
FROM made m
WHERE o.channel = m.channel AND o.state = 'late'
