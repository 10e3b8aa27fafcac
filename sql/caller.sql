-- The token, share or session with this hash, if it is valid now: key, name, kind, the most that it may do, its applications,
-- whether a person's grants bind it, these (applications, roles), whether its use is to be recorded, its filter, whether a
-- password is needed beside it, and the key of the person or share. $2: a session ends after so many minutes without use.
SELECT t.id, t.name, 'token' AS kind, t.role, t.apps, t.user_id IS NOT NULL AND NOT u.is_owner,
       ARRAY(SELECT g.app_id FROM web_grants g WHERE g.user_id = t.user_id ORDER BY g.app_id),
       ARRAY(SELECT g.role FROM web_grants g WHERE g.user_id = t.user_id ORDER BY g.app_id),
       coalesce(t.last_used_at < now() - interval '1 minute', true), t.filter, false, t.user_id
FROM web_tokens t LEFT JOIN web_users u ON u.id = t.user_id
WHERE t.secret = $1 AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)
UNION ALL
SELECT s.id, s.name, 'share', 'viewer', ARRAY[s.app_id], false, '{}', '{}', false, s.filter, s.password IS NOT NULL, s.id
FROM web_shares s
WHERE s.secret = $1 AND s.revoked_at IS NULL AND coalesce(s.expires_at > now(), true)
UNION ALL
SELECT w.id, u.name, 'session', 'owner', NULL, NOT u.is_owner,
       ARRAY(SELECT g.app_id FROM web_grants g WHERE g.user_id = u.id ORDER BY g.app_id),
       ARRAY(SELECT g.role FROM web_grants g WHERE g.user_id = u.id ORDER BY g.app_id),
       w.used_at < now() - interval '1 minute', NULL, false, u.id
FROM web_sessions w JOIN web_users u ON u.id = w.user_id
WHERE w.secret = $1 AND w.expires_at > now() AND w.used_at > now() - $2 * interval '1 minute'
UNION ALL
SELECT w.id, s.name, 'unlocked', 'viewer', ARRAY[s.app_id], false, '{}', '{}', w.used_at < now() - interval '1 minute',
       s.filter, false, s.id
FROM web_sessions w JOIN web_shares s ON s.id = w.share_id
WHERE w.secret = $1 AND w.expires_at > now() AND w.used_at > now() - $2 * interval '1 minute'
  AND s.revoked_at IS NULL AND coalesce(s.expires_at > now(), true)
