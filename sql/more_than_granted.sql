-- What the roles of the daemon and of its neighbours may do beyond what they are for, where alt_owner owns the tables: role,
-- and what. $1 are the tables, $2 the rights that are granted on each, with commas between them, and $3 to which role.
WITH place AS (
    SELECT relnamespace AS id
    FROM pg_class
    WHERE oid = to_regclass('access_logs') AND pg_get_userbyid(relowner) = 'alt_owner'
), granted AS (
    SELECT t.name, t.rights, t.role FROM unnest($1::text[], $2::text[], $3::text[]) AS t (name, rights, role)
), role AS (
    SELECT r.oid, r.rolname::text AS name, pg_has_role(r.oid, owner.oid, 'MEMBER') AS is_owner
    FROM pg_roles r, pg_roles owner
    WHERE r.rolname IN ('alt', 'alt_web', 'alt_rules', 'alt_audit') AND owner.rolname = 'alt_owner'
), relation AS (
    SELECT c.oid, c.relname::text AS name
    FROM pg_class c JOIN place ON c.relnamespace = place.id
    WHERE c.relkind IN ('r', 'p', 'v') AND pg_get_userbyid(c.relowner) = 'alt_owner'
)
SELECT role.name, 'may ' || string_agg(p.privilege, ', ' ORDER BY p.privilege) || ' ' || relation.name
FROM role, relation, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (privilege)
WHERE NOT role.is_owner AND has_table_privilege(role.oid, relation.oid, p.privilege)
  AND NOT EXISTS (
      SELECT FROM granted g
      WHERE g.role = role.name AND g.name = relation.name AND p.privilege = ANY (string_to_array(g.rights, ',')))
GROUP BY role.name, relation.name
UNION ALL
SELECT role.name, 'may create tables and functions in the schema of access_logs'
FROM role, place
WHERE NOT role.is_owner AND has_schema_privilege(role.oid, place.id, 'CREATE')
UNION ALL
SELECT role.name, 'may act as alt_owner'
FROM role, place
WHERE role.is_owner
UNION ALL
SELECT role.name, 'owns the table ' || c.relname
FROM role, place, pg_class c
WHERE c.relowner = role.oid AND c.oid IN (SELECT to_regclass(g.name) FROM granted g)
UNION ALL
SELECT role.name, 'may run ' || p.proname
FROM role, place, pg_proc p
WHERE role.name <> 'alt' AND NOT role.is_owner AND p.pronamespace = place.id AND p.proname LIKE 'alt\_%'
  AND has_function_privilege(role.oid, p.oid, 'EXECUTE')
ORDER BY 1, 2
