-- The message that has been due for longest on each channel that is not one of $1. A message about an alert waits for
-- those about it that are not done on its channel.
SELECT DISTINCT ON (o.channel) o.id, o.episode_id, o.seq, o.channel, o.attempts, o.group_key IS NOT NULL
FROM alert_outbox o
WHERE o.state = 'due' AND o.due_at <= clock_timestamp() AND NOT o.channel = ANY ($1)
  AND (o.episode_id = 0
       OR NOT EXISTS (SELECT FROM alert_outbox b
                      WHERE b.episode_id = o.episode_id AND b.channel = o.channel AND b.seq < o.seq AND b.state = 'due'))
ORDER BY o.channel, o.due_at, o.id
