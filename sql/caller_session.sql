-- The person whose session has this hash, if it is valid now: as caller_token.sql. $2: it ends after so many minutes without use.
SELECT w.id, u.name, 'owner', NULL::integer[], NOT u.is_owner,
       ARRAY(SELECT g.app_id FROM web_grants g WHERE g.user_id = u.id ORDER BY g.app_id),
       ARRAY(SELECT g.role FROM web_grants g WHERE g.user_id = u.id ORDER BY g.app_id),
       w.used_at < now() - interval '1 minute', NULL::text[], false, u.id
FROM web_sessions w JOIN web_users u ON u.id = w.user_id
WHERE w.secret = $1 AND w.expires_at > now() AND w.used_at > now() - $2 * interval '1 minute'
