-- The share whose password was given by the session with this hash, if both are valid now: as caller_token.sql. $2: the session
-- ends after so many minutes without use.
SELECT w.id, s.name, 'viewer', ARRAY[s.app_id], false, '{}'::integer[], '{}'::text[],
       w.used_at < now() - interval '1 minute', s.filter, false, s.id
FROM web_sessions w JOIN web_shares s ON s.id = w.share_id
WHERE w.secret = $1 AND w.expires_at > now() AND w.used_at > now() - $2 * interval '1 minute'
  AND s.revoked_at IS NULL AND coalesce(s.expires_at > now(), true)
