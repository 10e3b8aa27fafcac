-- What each role may do with the tables and functions of this program: role, rights, and with what. A role without any
-- right, and the owner, have a row each, too.
WITH place AS (
    SELECT relnamespace AS id, relowner AS owner FROM pg_class WHERE oid = 'access_logs'::regclass
), object AS (
    SELECT c.relname::text AS name, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl, c.relowner AS owner
    FROM pg_class c JOIN place ON c.relnamespace = place.id
    WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    UNION ALL
    SELECT p.proname::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
    FROM pg_proc p JOIN place ON p.pronamespace = place.id
    WHERE p.proname LIKE 'alt\_%'
), given AS (
    SELECT object.name, a.grantee, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS rights
    FROM object, aclexplode(object.acl) a
    WHERE a.grantee <> object.owner
    GROUP BY object.name, a.grantee
)
SELECT CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee)::text END, rights,
       string_agg(name, ', ' ORDER BY name)
FROM given
GROUP BY grantee, rights
UNION ALL
SELECT pg_get_userbyid(owner)::text, 'owns', string_agg(name, ', ' ORDER BY name) FROM object GROUP BY owner
UNION ALL
SELECT rolname::text, 'nothing', ''
FROM pg_roles
WHERE rolname IN ('alt', 'alt_owner', 'alt_web', 'alt_rules', 'alt_audit')
  AND oid NOT IN (SELECT grantee FROM given) AND oid NOT IN (SELECT owner FROM object)
ORDER BY 1, 2, 3
