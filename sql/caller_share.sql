-- The share with this hash, if it is valid now: as caller_token.sql.
SELECT s.id, s.name, 'viewer', ARRAY[s.app_id], false, '{}'::integer[], '{}'::text[], false, s.filter, s.password IS NOT NULL, s.id
FROM web_shares s
WHERE s.secret = $1 AND s.revoked_at IS NULL AND coalesce(s.expires_at > now(), true)
