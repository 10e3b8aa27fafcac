-- The token with this hash, if it is valid now: key, name, the most that it may do, its applications, whether a person's grants
-- bind it, these (applications, roles), whether its use is to be recorded, its filter, whether a password is needed beside it, and
-- the key of the person.
SELECT t.id, t.name, t.role, t.apps, t.user_id IS NOT NULL AND NOT u.is_owner,
       ARRAY(SELECT g.app_id FROM web_grants g WHERE g.user_id = t.user_id ORDER BY g.app_id),
       ARRAY(SELECT g.role FROM web_grants g WHERE g.user_id = t.user_id ORDER BY g.app_id),
       coalesce(t.last_used_at < now() - interval '1 minute', true), t.filter, false, t.user_id
FROM web_tokens t LEFT JOIN web_users u ON u.id = t.user_id
WHERE t.secret = $1 AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)
