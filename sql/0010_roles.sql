-- What only the owner of the tables may do, for a daemon whose role owns nothing: making and dropping the partition of a
-- month, and destroying the salts of days that are over. The functions run with the rights of their owner; every name in
-- them is qualified or of pg_catalog, so that no object of the caller takes its place.

DO $migration$
DECLARE
    place text := (SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.oid = 'access_logs'::regclass);
BEGIN
    -- Makes the partition of a month (months since the year 0), like its parent and with a CHECK that makes the scan of
    -- ATTACH unnecessary.
    EXECUTE replace($function$
        CREATE FUNCTION PLACE.alt_make_month(month integer) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        DECLARE
            name text := format('access_logs_y%sm%s', month / 12, lpad((month % 12 + 1)::text, 2, '0'));
            begins text := format('%s-%s-01 00:00:00+00', month / 12, month % 12 + 1);
            ends text := format('%s-%s-01 00:00:00+00', (month + 1) / 12, (month + 1) % 12 + 1);
        BEGIN
            -- No event is older than the year 2000.
            IF month IS NULL OR month NOT BETWEEN 24000 AND 35999 THEN
                RAISE EXCEPTION 'alt_make_month: month % is not between 2000 and 2999', month;
            END IF;
            EXECUTE format('CREATE TABLE PLACE.%I (LIKE PLACE.access_logs
                            INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name);
            EXECUTE format('ALTER TABLE PLACE.%I ADD CONSTRAINT %I CHECK (occurred_at >= %L AND occurred_at < %L)',
                           name, name || '_month', begins, ends);
            EXECUTE format('CREATE INDEX ON PLACE.%I (app_id, occurred_at) WITH (deduplicate_items = off)', name);
            EXECUTE format('ALTER TABLE PLACE.access_logs ATTACH PARTITION PLACE.%I FOR VALUES FROM (%L) TO (%L)',
                           name, begins, ends);
            EXECUTE format('ALTER TABLE PLACE.%I DROP CONSTRAINT %I', name, name || '_month');
        END
        $body$
    $function$, 'PLACE', place);

    -- Drops the partition of a month that is over, and records that a host did so. Returns PostgreSQL's estimate of its
    -- number of rows, or NULL if there is none; no row if there is no such partition.
    EXECUTE replace($function$
        CREATE FUNCTION PLACE.alt_drop_month(month integer, host text) RETURNS SETOF bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        DECLARE
            table_name text := format('access_logs_y%sm%s', month / 12, lpad((month % 12 + 1)::text, 2, '0'));
            begins timestamptz := format('%s-%s-01 00:00:00+00', month / 12, month % 12 + 1);
            ends timestamptz := format('%s-%s-01 00:00:00+00', (month + 1) / 12, (month + 1) % 12 + 1);
            partition oid;
            estimate bigint;
        BEGIN
            -- The shortest time to keep rows is a day. Whoever took the daemon over can drop no younger month.
            IF ends > now() - interval '1 day' THEN
                RAISE EXCEPTION 'alt_drop_month: the month of % is not over for a day', table_name;
            END IF;
            SELECT c.oid, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END INTO partition, estimate
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'PLACE.access_logs'::regclass AND c.relname = table_name;
            IF partition IS NULL THEN
                RETURN;
            END IF;
            INSERT INTO PLACE.retention_drops (host, what, name, from_at, until_at, count)
            VALUES (alt_drop_month.host, 'rows', table_name, begins, ends, estimate);
            INSERT INTO PLACE.batches (part, kind, first_at, last_at, apps, hours)
            VALUES (1, 'expired', begins, ends, '{}', '{}');
            EXECUTE format('DROP TABLE %s', partition::regclass);
            RETURN NEXT estimate;
        END
        $body$
    $function$, 'PLACE', place);

    -- Destroys salts, at a time, 48 hours after both the end of their day and their creation. A salt is kept longer only
    -- while a known file may still contain unread lines of that day (a file that is not loaded to its end and has not
    -- passed the day), and never for more than 7 days. A time that a wrong clock wrote does not count: of a salt that was
    -- created in the future, the day counts, and of a day in the far future, the creation. Returns how many, and records
    -- the deletion as done by a host.
    EXECUTE replace($function$
        CREATE FUNCTION PLACE.alt_kill_salts(at timestamptz, host text) RETURNS bigint
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        WITH killed AS (
            UPDATE PLACE.visitor_salts s
            SET salt = NULL
            -- The same condition as in overdue_salts.sql.
            WHERE s.salt IS NOT NULL
              AND CASE WHEN s.day_ends_at > $1 + interval '60 days' AND s.created_at > $1 + interval '2 days' THEN '-infinity'
                       WHEN s.day_ends_at > $1 + interval '60 days' THEN s.created_at
                       WHEN s.created_at > $1 + interval '2 days' THEN s.day_ends_at
                       ELSE greatest(s.day_ends_at, s.created_at)
                  END < $1 - CASE WHEN EXISTS (
                      SELECT 1
                      FROM PLACE.checkpoints c
                      JOIN PLACE.log_files f ON f.id = c.file_id
                      WHERE NOT c.sealed
                        AND f.size_bytes > c.loaded_bytes
                        AND coalesce(c.last_at, '-infinity') < s.day_ends_at)
                  THEN interval '7 days' ELSE interval '48 hours' END
            RETURNING s.day_ends_at
        ), noted AS (
            INSERT INTO PLACE.retention_drops (host, what, from_at, until_at, count)
            SELECT $2, 'salts', min(day_ends_at) - interval '1 day', max(day_ends_at), count(*) FROM killed
            HAVING count(*) > 0
        )
        SELECT count(*) FROM killed
        $body$
    $function$, 'PLACE', place);

    EXECUTE format('REVOKE ALL ON FUNCTION %1$s.alt_make_month(integer), %1$s.alt_drop_month(integer, text),
                    %1$s.alt_kill_salts(timestamptz, text) FROM PUBLIC', place);
END
$migration$;
