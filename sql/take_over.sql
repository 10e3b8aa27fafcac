-- Gives the database, our tables, the partitions of access_logs and our functions to alt_owner, whoever owned
-- them. Tables that somebody else made in this database stay theirs. Run by a superuser, within a transaction.
DO $take_over$
DECLARE
    one regclass;
    function regprocedure;
    is_ours boolean;
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO alt_owner', current_database());
    FOR one IN
        SELECT c.oid
        FROM pg_class c
        WHERE (c.oid IN (SELECT to_regclass(name) FROM unnest(TABLES) AS t (name))
               OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass('access_logs'))))
          AND c.relowner <> 'alt_owner'::regrole
        -- The table before its partitions, as a daemon that loads locks them.
        ORDER BY c.relispartition, c.oid
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO alt_owner', one);
    END LOOP;
    -- The applied migrations as earlier versions recorded them, which a daemon of such a version reads. Other programs
    -- have a table of this name, with other columns or other migrations.
    IF (SELECT array_agg(format('%s %s', attname, format_type(atttypid, NULL)) ORDER BY attnum)
        FROM pg_attribute
        WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped)
       = ARRAY['version integer', 'name text', 'applied_at timestamp with time zone'] THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM schema_migrations WHERE version = 1 AND name = ''tables'')' INTO is_ours;
        IF is_ours THEN
            ALTER TABLE schema_migrations OWNER TO alt_owner;
            REVOKE ALL ON schema_migrations FROM alt;
            GRANT SELECT ON schema_migrations TO alt;
        END IF;
    END IF;
    FOR function IN
        SELECT p.oid
        FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace
        WHERE c.oid = to_regclass('access_logs') AND p.proname IN ('alt_make_month', 'alt_drop_month', 'alt_kill_salts')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO alt_owner', function);
    END LOOP;
    REVOKE alt_owner FROM alt;
    -- Before PostgreSQL 15, everybody may create there.
    REVOKE CREATE ON SCHEMA public FROM PUBLIC, alt;
    GRANT USAGE ON SCHEMA public TO alt;
    GRANT USAGE, CREATE ON SCHEMA public TO alt_owner;
END
$take_over$
