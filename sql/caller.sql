-- The token or share with this hash, if it is valid now: key, name, whether it is a share, the most that it may do, its
-- applications, whether a person's grants bind it, these (applications, roles), and whether its use is to be recorded.
SELECT t.id, t.name, false AS is_share, t.role, t.apps, t.user_id IS NOT NULL AND NOT u.is_owner,
       ARRAY(SELECT g.app_id FROM web_grants g WHERE g.user_id = t.user_id ORDER BY g.app_id),
       ARRAY(SELECT g.role FROM web_grants g WHERE g.user_id = t.user_id ORDER BY g.app_id),
       coalesce(t.last_used_at < now() - interval '1 minute', true)
FROM web_tokens t LEFT JOIN web_users u ON u.id = t.user_id
WHERE t.secret = $1 AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)
UNION ALL
SELECT s.id, s.name, true, 'viewer', ARRAY[s.app_id], false, '{}', '{}', false
FROM web_shares s
WHERE s.secret = $1 AND s.revoked_at IS NULL AND coalesce(s.expires_at > now(), true)
