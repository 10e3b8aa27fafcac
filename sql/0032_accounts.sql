-- Names of people differ in more than capitals; attempts to sign in that were refused are counted; and secrets are sealed.

-- Of names that differ in capitals alone, the older one stays. The other one gets the person's key behind it, which the record
-- of changes tells.
WITH doubled AS (
    UPDATE web_users u SET name = u.name || ' ' || u.id
    WHERE EXISTS (SELECT FROM web_users o WHERE lower(o.name) = lower(u.name) AND o.id < u.id)
    RETURNING u.id, u.name
)
INSERT INTO audit_log (actor_kind, actor, action, object, after)
SELECT 'command', 'alt migrate', 'user.rename', 'user ' || id, to_jsonb(name) FROM doubled;

CREATE UNIQUE INDEX web_users_folded ON web_users (lower(name));

ALTER TABLE web_users ADD COLUMN refused integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN web_users.refused IS 'Attempts to sign in that were refused, since the last one that was not';
COMMENT ON COLUMN web_users.totp IS 'Secret of the second factor, sealed by the key of alt serve; NULL: there is none';
COMMENT ON COLUMN web_users.totp_new IS 'Secret of a second factor that is not confirmed yet, sealed as well';
COMMENT ON COLUMN web_keys.secret IS 'Key of HMAC-SHA-256, sealed by the key of alt serve';
