-- Grants the daemon's role, and that of the API, exactly what they need of the tables, functions and the sequence that there
-- are. In one statement, so that a running process is never without them.
DO $grants$
DECLARE
    name text;
    rights text;
BEGIN
    FOR name, rights IN VALUES RIGHTS LOOP
        IF to_regclass(name) IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON %s FROM alt', to_regclass(name));
            EXECUTE format('GRANT %s ON %s TO alt', rights, to_regclass(name));
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'alt_web') THEN
        FOR name, rights IN VALUES WEB LOOP
            IF to_regclass(name) IS NOT NULL THEN
                EXECUTE format('REVOKE ALL ON %s FROM alt_web', to_regclass(name));
                EXECUTE format('GRANT %s ON %s TO alt_web', rights, to_regclass(name));
            END IF;
        END LOOP;
    END IF;
    IF to_regclass('KEYS') IS NOT NULL THEN
        REVOKE ALL ON SEQUENCE KEYS FROM alt;
        GRANT USAGE ON SEQUENCE KEYS TO alt;
    END IF;
    FOR name IN VALUES FUNCTIONS LOOP
        IF to_regprocedure(name) IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', to_regprocedure(name));
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO alt', to_regprocedure(name));
        END IF;
    END LOOP;
END
$grants$
