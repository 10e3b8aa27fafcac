-- Whether alt_migrations, and schema_migrations as earlier versions called it, have the columns that alt creates. NULL:
-- there is no such table. Rails, Ecto and golang-migrate have a table schema_migrations with other columns.
SELECT max(is_ours) FILTER (WHERE name = 'alt_migrations') = 1,
       max(is_ours) FILTER (WHERE name = 'schema_migrations') = 1
FROM (SELECT tables.name,
             (array_agg(format('%s %s', attname, format_type(atttypid, NULL)) ORDER BY attnum)
              = ARRAY['version integer', 'name text', 'applied_at timestamp with time zone'])::int
      FROM (VALUES ('alt_migrations'), ('schema_migrations')) tables (name)
      JOIN pg_attribute ON attrelid = to_regclass(tables.name) AND attnum > 0 AND NOT attisdropped
      GROUP BY tables.name) found (name, is_ours)
