//! The database's end on a real PostgreSQL: the schema, errors, and TLS with an authority of our own.

use std::collections::BTreeSet;
use std::process::Command;

use alt_line::copy::COLUMNS;
use alt_store::migrate::{self, Schema};
use alt_store::read::Reader;
use alt_store::roles::made_by_superuser;
use alt_store::{Trouble, apps, files, objects, retention, server};

use crate::support::daemon::{alt, configuration};
use crate::support::lines::{alt1, register};
use crate::support::postgres::{BACK_TO_8, Cluster, Database};

#[tokio::test]
async fn migrations_are_applied_once_whoever_comes_first() {
    let database = Database::empty();
    let mut client = database.connect().await;
    assert_eq!(migrate::schema(&client).await.unwrap(), Schema::Missing);
    let refusal = migrate::check_compatible(&client).await.unwrap_err().to_string();
    assert_eq!(refusal, "the database has no schema; run `alt migrate`");

    let mut others = Vec::new();
    for _ in 0..4 {
        let mut client = database.connect().await;
        others.push(tokio::spawn(async move { migrate::apply(&mut client).await.unwrap().len() }));
    }
    let mut applied = migrate::apply(&mut client).await.unwrap().len();
    for other in others {
        applied += other.await.unwrap();
    }
    assert_eq!(applied, migrate::MIGRATIONS.len());
    migrate::check_compatible(&client).await.unwrap();
    assert!(migrate::status(&client).await.unwrap().iter().all(|one| one.applied_at.is_some()));
}

#[tokio::test]
async fn what_a_role_lacks_is_told_of_every_table() {
    let database = Database::create();
    let client = database.connect().await;
    assert_eq!(server::lacks(&client).await.unwrap(), []);
    let tables = database.psql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') \
         AND NOT relispartition \
         AND relname NOT LIKE 'web\\_%' AND relname NOT IN ('alt_migrations', 'audit_log', 'stat_annotations', 'stat_saved_filters', 'stat_panels') ORDER BY 1",
    );
    assert!(tables.lines().count() > 10, "{tables}");
    for table in tables.lines() {
        database.psql(&format!("ALTER TABLE {table} OWNER TO postgres"));
        let lacks = server::lacks(&client).await.unwrap();
        let is_told = |lack: &server::Lack| lack.what.ends_with(&format!(" the table {table}"));
        assert!(lacks.iter().any(is_told), "{table}: {lacks:?}");
    }
}

#[tokio::test]
async fn rows_are_copied_into_the_columns_that_the_schema_has() {
    let database = Database::create();
    let client = database.connect().await;
    let sql = "SELECT attname::text, typname::text FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid \
               WHERE attrelid = 'access_logs'::regclass AND attnum > 0 AND NOT attisdropped";
    let rows = client.query(sql, &[]).await.unwrap();
    let of_schema: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let copied = COLUMNS.iter().map(|column| (column.name.to_owned(), column.type_name.to_owned()));
    assert_eq!(copied.collect::<BTreeSet<_>>(), of_schema);
}

#[tokio::test]
async fn who_only_reads_can_change_nothing() {
    let database = Database::create();
    register(&database);
    let mut reader = Reader::connect(&database.config(), "test").await.unwrap();
    let before = reader.read(apps::all).await.unwrap();
    assert_eq!(before.len(), 1);

    // Operations that change something, each by mistake in the place of a question; and a statement.
    let refused = [
        reader.read(async |client| objects::note_error(client, 1, "no").await).await,
        reader.read(async |client| objects::note_deleted(client, 1, "host", "/log").await).await,
        reader.read(async |client| files::new_file_id(client).await.map(drop)).await,
        reader.read(async |client| retention::note_word(client, "host", None, None).await).await,
        reader.read(async |client| Ok(client.batch_execute("DELETE FROM applications").await?)).await,
        reader.read(async |client| Ok(client.batch_execute("DROP TABLE checkpoints CASCADE").await?)).await,
    ];
    for (number, answer) in refused.into_iter().enumerate() {
        let error = answer.expect_err(&number.to_string());
        let state = error.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::code);
        assert_eq!(state.map(tokio_postgres::error::SqlState::code), Some("25006"), "{number}: {error:#}");
    }

    // It reads on, and what was there is there. Between two questions no transaction is open.
    assert_eq!(reader.read(apps::all).await.unwrap(), before);
    let open =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND state LIKE 'idle in%'";
    assert_eq!(database.psql(open), "0");
    let settings = reader.read(async |client| {
        let sql = "SELECT current_setting('transaction_read_only'), current_setting('default_transaction_read_only')";
        let row = client.query_typed_one(sql, &[]).await?;
        Ok((row.get::<_, String>(0), row.get::<_, String>(1)))
    });
    assert_eq!(settings.await.unwrap(), ("on".to_owned(), "off".to_owned()));
}

#[test]
fn rows_of_an_earlier_version_show_as_new_ones_do() {
    let database = Database::empty();
    let directory = tempfile::tempdir().unwrap();
    let config = configuration(directory.path(), &database, "", "");
    let run = |args: &[&str]| {
        let output = alt().args(args).arg("--config").arg(&config).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    // The fifth, which knows environments, dies before it commits.
    let died =
        alt().args(["migrate", "--config"]).arg(&config).env("ALT_FAULT_AT", "Migrated:5").status().unwrap();
    assert!(!died.success());
    register(&database);
    database.psql(
        r#"CREATE TABLE access_logs_y2020m01 PARTITION OF access_logs FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
           ALTER TABLE access_logs_y2020m01 OWNER TO alt;
           INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, event_type, params)
           SELECT '2020-01-02', gen_random_uuid(), 0, 1, 1, 'human', 'pageview', params::jsonb
           FROM (VALUES ('{"language": "fr", "time_zone": "Europe/Paris", "screen_width": 390, "screen_height": 844, "beacon_version": "0"}'),
                        (NULL)) old (params);
           CREATE ROLE reader; GRANT SELECT ON access_log_details TO reader"#,
    );
    run(&["migrate"]);
    let log = directory.path().join("new.log");
    std::fs::write(
        &log,
        ["&tz=Europe%2FRome&v=7", "&tz=bob%40example.com"]
            .map(|more| alt1().replace("&sw=1920", &format!("&sw=1920{more}")))
            .concat(),
    )
    .unwrap();
    run(&["replay", log.to_str().unwrap()]);
    let shown = "language, time_zone, screen_width, screen_height, beacon_version";
    insta::assert_snapshot!(database.psql(&format!(
        "SELECT l.environment_id IS NOT NULL, v.params, {shown} \
         FROM access_log_details v JOIN access_logs l USING (event_id) ORDER BY v.occurred_at, v.file_offset, 2"
    )), @r#"
    f|{"language": "fr", "time_zone": "Europe/Paris", "screen_width": 390, "screen_height": 844, "beacon_version": "0"}|fr|Europe/Paris|390|844|0
    f||||||
    t||de-DE|Europe/Rome|1920||7
    f|{"language": "de-DE", "time_zone": "***", "screen_width": 1920}|de-DE|***|1920||
    "#);
    let indexes = "SELECT DISTINCT reloptions FROM pg_class c JOIN pg_inherits i ON c.oid = i.inhrelid \
                   WHERE i.inhparent = 'access_logs_app_time'::regclass";
    assert_eq!(database.psql(indexes), "{deduplicate_items=off}");
    assert_eq!(database.psql("SELECT has_table_privilege('reader', 'access_log_details', 'SELECT')"), "t");
    database.psql("DROP OWNED BY reader; DROP ROLE reader");
}

#[tokio::test]
async fn a_schema_one_version_newer_is_fine_and_two_are_not() {
    let database = Database::create();
    let client = database.connect().await;
    let next = migrate::newest() + 1;
    database.psql(&format!("INSERT INTO alt_migrations VALUES ({next}, 'next')"));
    assert_eq!(migrate::schema(&client).await.unwrap(), Schema::Compatible(next));
    database.psql(&format!("INSERT INTO alt_migrations VALUES ({}, 'after')", next + 1));
    let refusal = migrate::check_compatible(&client).await.unwrap_err().to_string();
    assert!(refusal.contains("too new for this alt"), "{refusal}");
    database.psql("UPDATE alt_migrations SET version = version - 3");
    let refusal = migrate::check_compatible(&client).await.unwrap_err().to_string();
    assert!(refusal.contains("has no schema") || refusal.contains("run `alt migrate`"), "{refusal}");
}

/// Tables `schema_migrations` as other programs make them: Rails, golang-migrate, Ecto; and one that looks like ours.
const OF_OTHERS: [&str; 4] = [
    "CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20240101000000')",
    "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (7, false)",
    "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp(0)); INSERT INTO schema_migrations VALUES (20240101000000, now())",
    "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text, applied_at timestamptz); INSERT INTO schema_migrations VALUES (1, 'users', now())",
];

#[tokio::test]
async fn the_migrations_of_another_program_are_its_own() {
    for (number, made) in OF_OTHERS.iter().enumerate() {
        for owner in ["alt", "postgres"] {
            let database = Database::empty();
            database.psql(&format!("{made}; ALTER TABLE schema_migrations OWNER TO {owner}"));
            if number == 3 {
                // What looks like ours has to be readable, so that it can be told apart.
                database.psql("GRANT SELECT ON schema_migrations TO alt");
            }
            let theirs = || database.psql("SELECT string_agg(m::text, ' ') FROM schema_migrations m");
            let before = theirs();
            let mut client = database.connect().await;
            assert_eq!(migrate::schema(&client).await.unwrap(), Schema::Missing, "{made}");
            assert!(migrate::status(&client).await.unwrap().iter().all(|one| one.applied_at.is_none()));
            assert_eq!(migrate::apply(&mut client).await.unwrap().len(), migrate::MIGRATIONS.len());
            migrate::check_compatible(&client).await.unwrap();
            assert_eq!(migrate::apply(&mut client).await.unwrap(), []);
            assert_eq!(theirs(), before, "{made}");
        }
    }
}

#[tokio::test]
async fn a_schema_with_the_old_name_is_taken_over_and_continued() {
    let database = Database::create();
    let mut client = database.connect().await;
    let newest = migrate::newest();
    // As the version before had it.
    database.psql(BACK_TO_8);
    database.psql(
        "ALTER TABLE alt_migrations RENAME TO schema_migrations; \
         UPDATE schema_migrations SET applied_at = '2026-01-02 03:04:05+00'",
    );
    assert_eq!(migrate::schema(&client).await.unwrap(), Schema::Older(8));
    let applied = migrate::apply(&mut client).await.unwrap();
    assert_eq!(
        applied.iter().map(|one| one.version).collect::<Vec<_>>(),
        migrate::MIGRATIONS.iter().map(|one| one.version).filter(|version| *version > 8).collect::<Vec<_>>()
    );
    let first = migrate::status(&client).await.unwrap().remove(0);
    assert_eq!(first.applied_at.as_deref(), Some("2026-01-02T03:04:05Z"));
    // A daemon of the version before still runs, and looks there.
    for table in ["schema_migrations", "alt_migrations"] {
        assert_eq!(
            database.psql(&format!("SELECT count(*), max(version) FROM {table}")),
            format!("{}|{newest}", migrate::MIGRATIONS.len())
        );
    }
    // Nothing reads the old table any more.
    database.psql("DROP TABLE schema_migrations");
    migrate::check_compatible(&client).await.unwrap();
}

#[tokio::test]
async fn a_table_of_another_program_with_the_name_of_a_new_one_is_named_at_an_upgrade() {
    let database = Database::create();
    database.psql(BACK_TO_8);
    database.psql("CREATE TABLE audit_log (of text)");
    let mut client = database.connect().await;
    let error = format!("{:#}", migrate::apply(&mut client).await.unwrap_err());
    for part in ["apply migration 14 (access)", "rename that table", "\"audit_log\" already exists"] {
        assert!(error.contains(part), "{error}");
    }
    // As the error advises.
    database.psql("ALTER TABLE audit_log RENAME TO audit_log_of_another");
    migrate::apply(&mut client).await.unwrap();
    migrate::check_compatible(&client).await.unwrap();
}

#[tokio::test]
async fn what_is_in_the_way_of_the_schema_is_named() {
    let database = Database::empty();
    database.psql("CREATE TABLE applications (id uuid); CREATE TABLE leases (tenant text); CREATE ROLE landlord; ALTER TABLE leases OWNER TO landlord");
    let mut client = database.connect().await;
    let error = format!("{:#}", migrate::apply(&mut client).await.unwrap_err());
    assert!(error.contains("give alt a database of its own"), "{error}");
    assert!(error.contains("in the way: applications (of postgres), leases (of landlord)"), "{error}");
    assert_eq!(database.psql("SELECT to_regclass('alt_migrations') IS NULL"), "t");
    // As the error advises.
    database.psql("CREATE SCHEMA alt AUTHORIZATION alt");
    assert_eq!(migrate::apply(&mut client).await.unwrap().len(), migrate::MIGRATIONS.len());
    migrate::check_compatible(&client).await.unwrap();
    assert_eq!(database.psql("SELECT count(*) FROM applications"), "0");
    database.psql("DROP OWNED BY landlord; DROP ROLE landlord");

    // A name that a later migration takes, and the name of the table of migrations itself.
    let database = Database::create();
    let mut client = database.connect().await;
    database.psql(BACK_TO_8);
    database.psql(
        "ALTER TABLE leases RENAME TO mine; ALTER INDEX leases_pkey RENAME TO m; CREATE TABLE leases (tenant text); \
         DELETE FROM alt_migrations WHERE version >= 8",
    );
    let error = format!("{:#}", migrate::apply(&mut client).await.unwrap_err());
    assert!(error.contains("rename that table") && error.contains("\"leases\" already exists"), "{error}");
    let database = Database::empty();
    database.psql("CREATE TABLE alt_migrations (id int)");
    let mut client = database.connect().await;
    let error = format!("{:#}", migrate::apply(&mut client).await.unwrap_err());
    assert!(error.contains("the table alt_migrations is in the way"), "{error}");
}

#[tokio::test]
async fn an_encoding_that_lacks_characters_is_refused() {
    let cluster = Cluster::start(&["fsync=off"]);
    for encoding in ["LATIN1", "EUC_JP", "SQL_ASCII", "UTF8"] {
        let mut database = cluster.empty_database();
        let name = format!("of_{}", encoding.to_lowercase());
        cluster.psql(
            "postgres",
            &format!("CREATE DATABASE {name} OWNER alt ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        );
        database.url = database.url.replace(&database.name, &name);
        database.name = name;
        let mut client = database.connect().await;
        let applied = migrate::apply(&mut client).await.map(|all| all.len()).map_err(|e| format!("{e:#}"));
        let ready = migrate::check_compatible(&client).await.map_err(|e| format!("{e:#}"));
        if encoding == "UTF8" {
            assert_eq!((applied, ready), (Ok(migrate::MIGRATIONS.len()), Ok(())));
            continue;
        }
        for error in [applied.unwrap_err(), ready.unwrap_err()] {
            assert!(error.contains(&format!("is {encoding}, and alt needs UTF8")), "{error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let config = configuration(directory.path(), &database, "", "");
        let check = alt().args(["check", "--config"]).arg(config).output().unwrap();
        let findings = String::from_utf8(check.stdout).unwrap();
        assert!(findings.contains(&format!("is {encoding}, and alt needs UTF8")), "{findings}");
    }
    // What `alt setup` creates is UTF8 whatever the server's own databases are.
    let made = made_by_superuser();
    let made = made.iter().find(|made| made.what == "database alt").unwrap();
    cluster.psql("postgres", "CREATE ROLE alt_owner LOGIN");
    cluster.psql(
        "postgres",
        "UPDATE pg_database SET encoding = pg_char_to_encoding('SQL_ASCII') WHERE datname = 'template1'",
    );
    cluster.psql("postgres", &made.create);
    let sql = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'alt'";
    assert_eq!(cluster.psql("postgres", sql), "UTF8");
}

#[tokio::test]
async fn errors_of_the_server_are_classified() {
    let database = Database::create();
    let cases = [
        ("SELECT 'x'::text::int", Trouble::Data),
        ("SELECT 1 / 0", Trouble::Data),
        ("INSERT INTO applications (app_key, name) VALUES (NULL, 'a')", Trouble::Stop),
        ("SELECT * FROM absent", Trouble::Stop),
        ("SELECT pg_read_file('/etc/passwd')", Trouble::Stop),
        ("BEGIN READ ONLY; CREATE TABLE t ()", Trouble::Transient),
        ("SET statement_timeout = 20; SELECT pg_sleep(5)", Trouble::Transient),
        ("SELECT pg_terminate_backend(pg_backend_pid())", Trouble::Transient),
    ];
    for (sql, expected) in cases {
        let client = database.connect().await;
        let error = client.batch_execute(sql).await.unwrap_err();
        assert_eq!(alt_store::classify(&error), expected, "{sql}: {error:?}");
    }
    let mut config = database.config();
    config.url = database.url.replace(&format!("/{}?", database.name), "/absent?");
    let error = alt_store::connect(&config, "test").await.unwrap_err();
    assert_eq!(alt_store::classify_any(&error), Trouble::Stop);
    assert!(format!("{error:#}").contains("the database does not exist: run `alt setup`"), "{error:#}");
}

#[tokio::test]
async fn a_server_that_is_down_is_transient_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let config = alt_config::Postgres {
        url: format!("postgres:///alt?host={}", dir.path().display()),
        password_file: None,
    };
    let error = alt_store::connect(&config, "test").await.unwrap_err();
    assert_eq!(alt_store::classify_any(&error), Trouble::Transient);
    assert!(format!("{error:#}").contains("nothing listens there: start PostgreSQL"), "{error:#}");
}

#[tokio::test]
async fn tls_trusts_the_right_name_of_the_right_authority_only() {
    let (ours, foreign) = (authority(), authority());
    let (cluster, port) = with_tls(&ours.sign("localhost"));
    cluster.up();

    let connect = async |host: &str, parameters: &str| {
        let config = alt_config::Postgres {
            url: format!("postgres://alt:right@{host}:{port}/postgres?hostaddr=127.0.0.1&{parameters}"),
            password_file: None,
        };
        match alt_store::connect(&config, "test").await {
            Ok(client) => {
                let sql = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
                let row = client.query_one(sql, &[]).await.unwrap();
                assert!(row.get::<_, bool>(0));
                format!("ok, {}", row.get::<_, String>(1))
            }
            Err(e) => format!("{e:#}").replace(&port.to_string(), "PORT"),
        }
    };
    let (ours, foreign) = (ours.certificate(), foreign.certificate());
    for mode in ["verify-full", "verify-ca", "require"] {
        assert_eq!(connect("localhost", &format!("sslmode={mode}&sslrootcert={ours}")).await, "ok, TLSv1.3");
    }
    let wrong_name = connect("db.example.net", &format!("sslmode=require&sslrootcert={ours}")).await;
    assert!(wrong_name.contains("certificate not valid for name \"db.example.net\""), "{wrong_name}");
    assert!(
        wrong_name.contains("the server's certificate was not accepted: name its authority"),
        "{wrong_name}"
    );
    for unknown in [format!("sslmode=verify-full&sslrootcert={foreign}"), "sslmode=verify-full".to_owned()] {
        let unknown = connect("localhost", &unknown).await;
        assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    }
    assert!(connect("bad..name", "sslmode=require").await.contains("invalid"));
    let open = connect("localhost", "sslmode=disable").await;
    assert!(open.contains("no pg_hba.conf entry"), "{open}");
    let none = connect("localhost", "sslmode=verify-full&sslrootcert=/dev/null").await;
    assert!(none.contains("holds no certificate"), "{none}");
}

/// A server with TLS on 127.0.0.1, not started, and its port. The password of `alt` is `right`.
fn with_tls((key, certificate): &(String, String)) -> (std::sync::Arc<Cluster>, u16) {
    let cluster = Cluster::start(&["fsync=off"]);
    cluster.write("data/server.key", key);
    cluster.write("data/server.crt", certificate);
    cluster.write("data/pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    cluster.psql("postgres", "ALTER ROLE alt PASSWORD 'right'");
    cluster.down("fast");
    let conf = std::fs::read_to_string(cluster.dir().join("data/postgresql.auto.conf")).unwrap();
    let tcp = format!("{conf}listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n");
    cluster.write("data/postgresql.auto.conf", &tcp);
    (cluster, port)
}

#[tokio::test]
async fn a_password_is_bound_to_the_servers_certificate() {
    const EC: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
    let kinds = [
        (EC, "-sha256", true),
        (EC, "-sha384", true),
        ("rsa:2048", "-sha256", true),
        ("rsa:2048", "-sha512", true),
        ("rsa:2048", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest", true),
        ("rsa:2048", "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest", true),
        // RFC 5929 defines no binding for it.
        ("ed25519", "", false),
    ];
    let mut server: Option<(std::sync::Arc<Cluster>, u16)> = None;
    for (key, signature, binds) in kinds {
        let authority = authority_of(key);
        let pair = authority.sign_by("localhost", signature);
        let (cluster, port) = &*server.get_or_insert_with(|| with_tls(&pair));
        cluster.write("data/server.key", &pair.0);
        cluster.write("data/server.crt", &pair.1);
        cluster.up();
        let connect = async |binding: &str, password: &str| {
            let url = format!(
                "postgres://alt:{password}@localhost:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full\
                 &sslrootcert={}{binding}",
                authority.certificate()
            );
            let config = alt_config::Postgres { url, password_file: None };
            alt_store::connect(&config, "test").await.map(drop).map_err(|e| format!("{e:#}"))
        };
        let required = connect("&channel_binding=require", "right").await;
        if binds {
            assert_eq!(required, Ok(()), "{key} {signature}");
        } else {
            let error = required.unwrap_err();
            assert!(
                error.contains("channel_binding=require in postgres.url: the server has to ask"),
                "{error}"
            );
        }
        for binding in ["", "&channel_binding=prefer", "&channel_binding=disable"] {
            assert_eq!(connect(binding, "right").await, Ok(()), "{key} {signature} {binding}");
        }
        let wrong = connect("&channel_binding=require", "wrong").await.unwrap_err();
        assert!(!binds || wrong.contains("the password was refused"), "{wrong}");
        cluster.down("fast");
    }
}

/// A certificate authority in a directory.
struct Authority(tempfile::TempDir);

fn authority() -> Authority {
    authority_of("ec -pkeyopt ec_paramgen_curve:P-256")
}

/// One with a key of this kind (openssl's words).
fn authority_of(key: &str) -> Authority {
    let authority = Authority(tempfile::tempdir().unwrap());
    authority.openssl(&format!(
        "req -x509 -newkey {key} -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt"
    ));
    authority
}

impl Authority {
    fn certificate(&self) -> String {
        self.0.path().join("ca.crt").display().to_string()
    }

    /// Key and certificate of a server of that name, PEM.
    fn sign(&self, name: &str) -> (String, String) {
        self.sign_by(name, "")
    }

    /// The same, signed in this way (openssl's words).
    fn sign_by(&self, name: &str, signature: &str) -> (String, String) {
        std::fs::write(self.0.path().join("extensions"), format!("subjectAltName=DNS:{name}\n")).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout server.key -out server.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
             -out server.crt {signature}"
        ));
        let read = |file| std::fs::read_to_string(self.0.path().join(file)).unwrap();
        (read("server.key"), read("server.crt"))
    }

    fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").args(arguments.split_whitespace()).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn ids_are_looked_up_by_the_index_whatever_the_planner_believes() {
    let database = Database::create();
    let explain = |believed: &str| {
        let ids = include_str!("../../sql/ids_there.sql")
            .replace("$1", "(SELECT array_agg(1 + n % 50) FROM generate_series(1, 9000) n)")
            .replace("$2", "(SELECT array_agg('2026-01-05'::timestamptz + n * '1s'::interval) FROM generate_series(1, 9000) n)")
            .replace("$3", "'2026-01-05'::timestamptz")
            .replace("$4", "'2026-01-06'::timestamptz");
        database.psql(&format!(
            "BEGIN;
             CREATE TABLE access_logs_y2026m01 PARTITION OF access_logs FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
             INSERT INTO access_logs (occurred_at, event_id, file_offset, app_id, file_id, traffic_class, event_type)
             SELECT '2026-01-05'::timestamptz + n * '1s'::interval, gen_random_uuid(), 0, 1 + n % 50, 1, 'human', 'x'
             FROM generate_series(1, 20000) n;
             ANALYZE access_logs_y2026m01;
             {believed};
             {};
             EXPLAIN {ids};
             ROLLBACK",
            include_str!("../../sql/ids_by_index.sql")
        ))
    };
    for believed in [
        "UPDATE pg_class SET reltuples = 1, relpages = 1 WHERE relname = 'access_logs_y2026m01'",
        "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname = 'access_logs_y2026m01'",
        // One row in a hundred thousand pages, as between a load and its ANALYZE: then it would read all of the index first,
        // and go through all events for each row, if it could.
        "UPDATE pg_class SET reltuples = 1, relpages = 100000 WHERE relname LIKE 'access_logs_y2026m01%'",
        "DELETE FROM pg_statistic WHERE starelid = 'access_logs_y2026m01'::regclass",
        "SELECT",
    ] {
        let plan = explain(believed);
        let at = |what: &str| plan.find(what).unwrap_or_else(|| panic!("no {what}: {plan}"));
        assert!(
            at("Function Scan on u") < at("Index Scan using access_logs_y2026m01_app_id_occurred_at_idx"),
            "{plan}"
        );
        for other in ["Seq Scan", "Bitmap", "Hash", "Merge", "Gather"] {
            assert!(!plan.contains(other), "{plan}");
        }
    }
}
