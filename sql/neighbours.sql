-- Makes the roles of what works beside the daemon. Only that of the API may log in: the others may do nothing yet.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['alt_web', 'alt_rules', 'alt_audit'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
    ALTER ROLE alt_web LOGIN;
END
$$
