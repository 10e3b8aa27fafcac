use toml::de::DeTable;

use super::channel::CHANNEL_KEYS;
use super::keys::{KEYS, SOURCE_KEYS, unknown_variable};
use super::oidc::OIDC_KEYS;
use super::*;

const SHIPPED: &str = include_str!("../../../systemd/alt.toml");

fn read(text: &str) -> Config {
    Config::from_str(text, |_| None).unwrap()
}

fn problems(text: &str, env: &[(&str, &str)]) -> String {
    let env = |name: &str| env.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
    Config::from_str(text, env).unwrap_err().to_string().trim_start_matches('\n').to_owned()
}

#[test]
fn a_url_of_an_archive_says_where_it_is() {
    let bucket = |bucket, prefix| Some(ArchiveUrl::Bucket { bucket, prefix });
    for (url, expected) in [
        ("s3://logs", bucket("logs", "")),
        ("s3://logs/", bucket("logs", "")),
        ("s3://logs/a/b", bucket("logs", "a/b")),
        ("s3://logs//a/b/", bucket("logs", "a/b")),
        ("file:///a/b", Some(ArchiveUrl::Directory("/a/b"))),
        ("file:///", Some(ArchiveUrl::Directory("/"))),
        ("file://a/b", None),
        ("file://", None),
        ("s3://", None),
        ("s3:///a/b", None),
        ("/a/b", None),
        ("https://logs.s3.amazonaws.com/a", None),
    ] {
        assert_eq!(ArchiveUrl::parse(url), expected, "{url}");
        assert_eq!(ArchiveUrl::is_meant(url), url.starts_with("s3:") || url.starts_with("file:"), "{url}");
    }
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(read(""), Config::default());
    assert_eq!(read(SHIPPED), Config::default());
}

/// The shipped file, with every line that has a key uncommented.
fn uncommented() -> String {
    let is_key = |line: &&str| {
        let key = line.split('=').next().unwrap_or("");
        ["[[channel]]", "[web.oidc]"].contains(line)
            || line.contains(" = ") && key.trim().bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    SHIPPED
        .lines()
        .map(|line| line.strip_prefix("# ").filter(is_key).unwrap_or(line))
        // some keys are only for other formats
        .map(|line| if line == "format = \"alt1\"" { "format = \"combined\"" } else { line })
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_shipped_file_shows_every_key_once_and_all_of_them_parse() {
    let text = uncommented();
    read(&text);
    let table = DeTable::parse(&text).unwrap();
    for (section, key, _) in KEYS {
        let section = table.get_ref().get(*section).and_then(|s| s.get_ref().as_table());
        assert!(section.is_some_and(|s| s.contains_key(*key)), "{key} is missing in systemd/alt.toml");
    }
    let web = table.get_ref().get("web").and_then(|s| s.get_ref().as_table()).unwrap();
    let oidc = web.get("oidc").and_then(|s| s.get_ref().as_table()).unwrap();
    for (key, _) in OIDC_KEYS {
        assert!(oidc.contains_key(*key), "{key} is missing in systemd/alt.toml");
    }
    let sources = table.get_ref().get("source").and_then(|s| s.get_ref().as_array()).unwrap();
    let source = sources.iter().next().unwrap().get_ref().as_table().unwrap();
    for (key, _) in SOURCE_KEYS {
        assert!(source.contains_key(*key), "{key} is missing in systemd/alt.toml");
    }
    let channels = table.get_ref().get("channel").and_then(|c| c.get_ref().as_array()).unwrap();
    for (key, _) in CHANNEL_KEYS {
        let has = channels.iter().any(|channel| channel.get_ref().as_table().unwrap().contains_key(*key));
        assert!(has, "{key} is missing in systemd/alt.toml");
    }
}

#[test]
fn values_are_typed() {
    let config = read(
        r#"
            [[source]]
            paths = ["/var/log/nginx/alt/beacon.log", "/srv/*/log/beacon.log"]
            [[source]]
            paths = ["/var/log/nginx/access.log"]
            format = '$remote_addr [$time_local] "$request" $status'
            pixel = "matomo"
            status = "2xx,304"
            app = "KEY"
            sites = { "1" = "SHOP", "*.example.com" = "BLOG" }
            label = "shop"
            rotated = ["/srv/old"]
            [postgres]
            url = "host=db.example.net user=alt"
            password_file = "/etc/alt/password"
            [load]
            commit_interval = "1 s"
            batch_rows = 500
            batch_bytes = "4 MiB"
            connections = 1
            look_interval = "250ms"
            seal_after = "2m"
            host = "web-1"
            [archive]
            url = "s3://bucket/a/prefix"
            endpoint = "https://s3.example.com"
            region = "eu-central-1"
            path_style = true
            compression = "gzip"
            level = 7
            delete_after = "0s"
            encryption = "aws:kms"
            kms_key = "alias/logs"
            storage_class = "STANDARD_IA"
            tags = { "team" = "web", cost = "1" }
            [stats]
            enabled = true
            [retention]
            statistics = "5 years"
            rows = "13 months"
            rejects = "2 weeks"
            logs = "30d"
            [privacy]
            ip = "drop"
            gpc = "ignore"
            [flood]
            bytes_per_hour = "2 GiB"
            agents_per_hour = 500
            [track]
            trusted = ["10.0.0.0/8", "::1"]
            names = { k = "a", q7 = "page_url" }
            [admin]
            listen = "[::1]:9000"
            hosts = ["web-1.example.net", "web-1"]
            [agents]
            rules = "/etc/alt/agents.json"
            "#,
    );
    insta::assert_debug_snapshot!(config, @r#"
        Config {
            sources: [
                Source {
                    paths: [
                        "/var/log/nginx/alt/beacon.log",
                        "/srv/*/log/beacon.log",
                    ],
                    format: "alt1",
                    pixel: None,
                    status: None,
                    app: None,
                    sites: {},
                    label: None,
                    rotated: [],
                },
                Source {
                    paths: [
                        "/var/log/nginx/access.log",
                    ],
                    format: "$remote_addr [$time_local] \"$request\" $status",
                    pixel: Some(
                        "matomo",
                    ),
                    status: Some(
                        "2xx,304",
                    ),
                    app: Some(
                        "KEY",
                    ),
                    sites: {
                        "*.example.com": "BLOG",
                        "1": "SHOP",
                    },
                    label: Some(
                        "shop",
                    ),
                    rotated: [
                        "/srv/old",
                    ],
                },
            ],
            postgres: Postgres {
                url: "host=db.example.net user=alt",
                password_file: Some(
                    "/etc/alt/password",
                ),
            },
            load: Load {
                commit_interval: 1s,
                batch_rows: 500,
                batch_bytes: Some(
                    4194304,
                ),
                connections: 1,
                look_interval: 250ms,
                seal_after: 120s,
                host: Some(
                    "web-1",
                ),
            },
            archive: Some(
                Archive {
                    url: "s3://bucket/a/prefix",
                    endpoint: Some(
                        "https://s3.example.com",
                    ),
                    region: Some(
                        "eu-central-1",
                    ),
                    path_style: true,
                    compression: Gzip,
                    level: Some(
                        7,
                    ),
                    delete_after: 0ns,
                    encryption: Some(
                        "aws:kms",
                    ),
                    kms_key: Some(
                        "alias/logs",
                    ),
                    storage_class: Some(
                        "STANDARD_IA",
                    ),
                    tags: {
                        "cost": "1",
                        "team": "web",
                    },
                },
            ),
            retention: Retention {
                rows: Some(
                    Months(
                        13,
                    ),
                ),
                rejects: 1209600s,
                logs: Some(
                    2592000s,
                ),
                statistics: Some(
                    Months(
                        60,
                    ),
                ),
            },
            stats: Stats {
                enabled: true,
            },
            privacy: Privacy {
                ip: Drop,
                gpc: Ignore,
            },
            flood: Limits {
                bytes_per_hour: 2147483648,
                agents_per_hour: 500,
            },
            track: Track {
                trusted: [
                    "10.0.0.0/8",
                    "::1",
                ],
                names: {
                    "k": "a",
                    "q7": "page_url",
                },
            },
            agents: Agents {
                rules: Some(
                    "/etc/alt/agents.json",
                ),
            },
            admin: Admin {
                listen: Some(
                    [::1]:9000,
                ),
                hosts: [
                    "web-1.example.net",
                    "web-1",
                ],
            },
            check: Check {
                accepted: [],
                hosts: [],
            },
            web: Web {
                listen: Address(
                    127.0.0.1:8600,
                ),
                admin: Some(
                    127.0.0.1:9188,
                ),
                public_url: None,
                read_url: None,
                connections: 8,
                clients: 1024,
                requests_per_minute: 600,
                cache_bytes: 67108864,
                oidc: None,
                key_file: None,
            },
            alerts: Alerts {
                enabled: false,
                allow: [],
            },
            channels: [],
        }
        "#);
}

#[test]
fn the_environment_wins() {
    let env = |name: &str| match name {
        "ALT_POSTGRES_URL" => Some("postgres://db/alt".to_owned()),
        "ALT_LOAD_BATCH_ROWS" => Some("7".to_owned()),
        "ALT_SOURCE_PATHS" => Some("/a.log, /b.log".to_owned()),
        "ALT_TRACK_TRUSTED" => Some("::1,10.0.0.0/8".to_owned()),
        "ALT_TRACK_NAMES" => Some("k=a, q7=u".to_owned()),
        _ => None,
    };
    let config = Config::from_str("[load]\nbatch_rows = 9", env).unwrap();
    assert_eq!(config.postgres.url, "postgres://db/alt");
    assert_eq!(config.load.batch_rows, 7);
    assert_eq!(config.sources[0].paths, ["/a.log", "/b.log"]);
    assert_eq!(config.track.trusted, ["::1", "10.0.0.0/8"]);
    assert_eq!(
        config.track.names,
        [("k", "a"), ("q7", "u")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()
    );
}

#[test]
fn batches_share_memory_unless_their_size_is_named() {
    let load = read("").load;
    for batches in [2, 3, 6, 100, 10_000] {
        let bytes = load.bytes_of_a_batch(batches);
        assert!(
            bytes >= 256 << 10 && (bytes == 256 << 10 || bytes * batches <= 36 << 20),
            "{batches}: {bytes}"
        );
    }
    // 20,000 rows of the usual size fit where one file is loaded.
    assert!(load.bytes_of_a_batch(3) > 20_000 * 450);
    assert_eq!(read("[load]\nbatch_bytes = \"4 MiB\"").load.bytes_of_a_batch(100), 4 << 20);
}

#[test]
fn sites_are_a_table_or_a_list() {
    let table = "[[source]]\nformat = \"combined\"\n[source.sites]\n\"a.example\" = \"A\"\n7 = \"B\"";
    let list = "[[source]]\nformat = \"combined\"\nsites = [\"a.example=A\", \"7=B\"]";
    let sites = &read(table).sources[0].sites;
    assert_eq!(*sites, [("7", "B"), ("a.example", "A")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(read(list).sources[0].sites, *sites);
    let env = |name: &str| (name == "ALT_SOURCE_SITES").then(|| "a.example=A, 7=B".to_owned());
    let config = Config::from_str("[[source]]\nformat = \"combined\"", env).unwrap();
    assert_eq!(config.sources[0].spec().sites, *sites);
}

#[test]
fn all_problems_come_at_once_each_with_its_place() {
    let text = r#"
            [[source]]
            path = ["/a.log"]
            paths = ["a.log"]
            [load]
            comit_interval = "50ms"
            batch_rows = 0
            batch_bytes = "2 MB"
            look_interval = "soon"
            host = ["a"]
            [retention]
            rows = "2h"
            [privacy]
            ip = "keep"
            [track]
            trusted = ["10.0.0.0/33"]
            names = { a = "u" }
            [postgress]
            [agents]
            rules = true
            colour = "red"
            [admin]
            listen = "localhost:9187"
        "#;
    let env = [("ALT_LOAD_COMMIT_INTERVAL", "5 fortnights")];
    insta::assert_snapshot!(problems(text, &env), @r#"
        line 3: unknown key `path` in [source]; did you mean `paths`?
        line 4: `paths` in [source] holds absolute paths, which `a.log` is not
        line 6: unknown key `comit_interval` in [load]; did you mean `commit_interval`?
        line 7: `batch_rows` in [load] is a number from 1 to 200000, not `0`
        line 8: `batch_bytes` in [load] is a size from 64 KiB to 64 MiB ("2 MiB"), not `2 MB`
        line 9: `look_interval` in [load] is a time from 10ms to 60s ("50ms", "30s", "30d"), not `soon`
        line 10: `host` in [load] is one value, not a list
        line 12: `rows` in [retention] is a time of a day or more ("13 months", "90d"), not `2h`
        line 14: `ip` in [privacy] is one of truncate, full, drop, not `keep`
        line 16: `trusted` in [track] is a list of networks: `10.0.0.0/33` is no network: the number after `/` is 0 to 32
        line 17: `names` in [track] has `a`, which is the name of another parameter already
        line 18: unknown key `postgress`; did you mean `postgres`?
        line 20: `rules` in [agents] holds absolute paths, which `true` is not
        line 21: unknown key `colour` in [agents]; known are rules
        line 23: `listen` in [admin] is ADDRESS:PORT ("127.0.0.1:9187") or "off", not `localhost:9187`
        ALT_LOAD_COMMIT_INTERVAL: is a time from 0ns to 60s ("50ms", "30s", "30d"), not `5 fortnights`
        "#);
}

#[test]
fn what_is_no_configuration_at_all_is_told_in_few_words() {
    let log = "192.0.2.1 - - [10/Oct/2023:13:55:36 -0700] GET\n".repeat(1000);
    let told = problems(&log, &[]);
    assert!(told.lines().count() <= 22 && told.contains("more places that are no TOML"), "{told}");
    let told = problems(&log.repeat(100), &[]);
    assert_eq!(told.trim(), "is larger than 1 MiB: is it a configuration?");
}

#[test]
fn wrong_archives_are_told() {
    let text = r#"
            [archive]
            url = "bucket/prefix"
            endpoint = "s3.example.com"
            path_style = "yes"
            compression = "xz"
            level = 20
            encryption = "rot13"
            storage_class = "GLACIER"
            tags = ["a"]
        "#;
    insta::assert_snapshot!(problems(text, &[]), @r#"
        line 3: `url` in [archive] is s3://BUCKET/PREFIX or file:///PATH, not `bucket/prefix`
        line 4: `endpoint` in [archive] is a URL ("https://s3.example.com"), not `s3.example.com`
        line 5: `path_style` in [archive] is one of true, false, not `yes`
        line 6: `compression` in [archive] is one of zstd, gzip, not `xz`
        line 7: `level` in [archive] is a number from 1 to 19, not `20`
        line 8: `encryption` in [archive] is one of AES256, aws:kms, aws:kms:dsse, not `rot13`
        line 9: `storage_class` in [archive] is a class from which objects can be read at once, not `GLACIER`; let a lifecycle rule move them there
        line 10: `tags` in [archive] is a table, or a list of NAME=VALUE
        "#);
    let text = "[archive]\ncompression = \"gzip\"\nlevel = 10\nkms_key = \"k\"";
    insta::assert_snapshot!(problems(text, &[]), @r#"
        [archive] needs `url`; leave the section out to archive nothing
        `level` in [archive] is a number from 1 to 9 for gzip
        `kms_key` in [archive] needs encryption = "aws:kms"
        "#);
    assert_eq!(read("[archive]").archive, None);
    let env = |name: &str| (name == "ALT_ARCHIVE_URL").then(|| "file:///x".to_owned());
    assert_eq!(Config::from_str("", env).unwrap().archive.unwrap().url, "file:///x");
}

#[test]
fn wrong_shapes_are_told_apart() {
    let mut all = String::new();
    for text in [
        "[source]\npaths = []",
        "source = []",
        "[[source]]\npaths = []",
        "[[source]]\npaths = [\"/a[.log\"]",
        "[[source]]\npaths = [\"/a\"]\n[[source]]\npaths = [\"/a\"]",
        "[[source]]\npaths = [\"/a\"]\nformat = \"combined\"",
        "[[source]]\npaths = [\"/a\"]\npixel = \"matomo\"\nsites = [\"a\"]",
        "[[source]]\npaths = [\"/a\"]\nsites = [\"a=A\"]",
        "[[source]]\npaths = [\"/a\"]\npixel = \"matom\"\nsites = [\"a=A\", \"a=B\"]",
        "[[source]]\npaths = [\"/a\"]\nformat = \"$msec $uri\"\npixel = \"umami\"\nsites = { \"a*\" = \"A\", b = 1 }",
        "[[source]]\npaths = [\"/a\"]\nlabel = { a = \"b\" }\nsites = { \"a*\" = \"A\" }\nrotated = { a = \"b\" }",
        "load = 3",
        "[load]\nhost = \"\"",
        "[load]\nhost = \"a\"\nhost = \"b\"",
        "[load\nhost =",
    ] {
        all += &format!("{text:?}\n{}\n", problems(text, &[]));
    }
    all += &problems("[[source]]\n[[source]]\npaths = [\"/b\"]", &[("ALT_SOURCE_APP", "KEY")]);
    insta::assert_snapshot!(all, @r#"
        "[source]\npaths = []"
          line 1: there may be several: write [[source]]
        "source = []"
          line 1: names no source; write a [[source]]
        "[[source]]\npaths = []"
          line 2: `paths` in [source] names no log; write the path of one
        "[[source]]\npaths = [\"/a[.log\"]"
          line 2: `paths` in [source] holds `/a[.log`, which is no pattern: Pattern syntax error near position 2: invalid range pattern
        "[[source]]\npaths = [\"/a\"]\n[[source]]\npaths = [\"/a\"]"
          /a is named twice; a log has one source
        "[[source]]\npaths = [\"/a\"]\nformat = \"combined\""
          the source of /a needs `app` or `sites`: its format `combined` does not say whose hits these are
        "[[source]]\npaths = [\"/a\"]\npixel = \"matomo\"\nsites = [\"a\"]"
          line 4: `sites` in [source] has a wrong entry: `a` is no NAME=APP: write the site's name as the log has it, and its application
          the source of /a has the wrong `pixel`: alt1 is what our own pixel logs; give the format of the foreign pixel's log (combined)
        "[[source]]\npaths = [\"/a\"]\nsites = [\"a=A\"]"
          the source of /a has the wrong `sites`: lines of alt1 name their applications themselves; leave the sites out
        "[[source]]\npaths = [\"/a\"]\npixel = \"matom\"\nsites = [\"a=A\", \"a=B\"]"
          line 3: `pixel` in [source] cannot be compiled: `matom` is no pixel that is known (matomo, goatcounter, plausible, umami), and no path: describe your own by its path and what its parameters are in the words of a beacon, as in '/px.gif?url=u&ref=r&site=a'
          line 4: `sites` in [source] has `a` twice; a site has one application
        "[[source]]\npaths = [\"/a\"]\nformat = \"$msec $uri\"\npixel = \"umami\"\nsites = { \"a*\" = \"A\", b = 1 }"
          line 5: `sites` in [source] is a table of strings
          the source of /a has the wrong `pixel`: the format has no query string, which is where a pixel says everything: add $request
          the source of /a needs `app` or `sites`: its format `$msec $uri` does not say whose hits these are
        "[[source]]\npaths = [\"/a\"]\nlabel = { a = \"b\" }\nsites = { \"a*\" = \"A\" }\nrotated = { a = \"b\" }"
          line 3: `label` in [source] is one value, not a table
          line 4: `sites` in [source] has a wrong entry: `a*`: a * stands only at the beginning, for all below a domain: *.example.com
          line 5: `rotated` in [source] is a list, not a table
        "load = 3"
          line 1: `load` is a table: write [load]
        "[load]\nhost = \"\""
          line 2: `host` in [load] is empty; leave it out or give a value
        "[load]\nhost = \"a\"\nhost = \"b\""
          line 3: duplicate key
        "[load\nhost ="
          line 1: unclosed table, expected `]`
          ALT_SOURCE_APP: the file has several sources; change them there
        "#);
}

#[test]
fn a_misspelt_variable_is_found() {
    let shown = |name| unknown_variable(name).map(|problem| problem.to_string());
    assert_eq!(shown("ALT_LOAD_BATCH_ROWS"), None);
    assert_eq!(shown("ALT_SOMETHING"), None);
    assert_eq!(
        shown("ALT_LOAD_BACH_ROWS").as_deref(),
        Some("ALT_LOAD_BACH_ROWS: is no setting; did you mean `ALT_LOAD_BATCH_ROWS`?")
    );
}

#[test]
fn times_have_units() {
    let cases = [
        ("50ms", Some(50)),
        ("2 s", Some(2_000)),
        ("5m", Some(300_000)),
        ("1h", Some(3_600_000)),
        ("1d", Some(86_400_000)),
        ("1 week", Some(604_800_000)),
        ("5", None),
        ("", None),
        ("-1s", None),
        ("1.5s", None),
        ("99999999999s", None),
    ];
    for (text, ms) in cases {
        assert_eq!(parse_time(text), ms.map(Duration::from_millis), "{text}");
    }
}

#[test]
fn the_api_listens_on_an_address_or_a_socket_and_is_reached_by_https() {
    let of = |keys: &str| Config::from_str(&format!("[web]\n{keys}"), |_| None).map(|config| config.web);
    assert_eq!(of("listen = \"unix:/run/a.sock\"").unwrap().listen, Listen::Socket("/run/a.sock".into()));
    assert_eq!(of("listen = \"[::1]:80\"").unwrap().listen, Listen::Address("[::1]:80".parse().unwrap()));
    let url = of("public_url = \"https://a.example:8443/\"").unwrap().public_url;
    assert_eq!(url.as_deref(), Some("https://a.example:8443"));
    assert!(of("public_url = \"http://localhost:8600\"").is_ok());
    for wrong in [
        "listen = \"unix:a.sock\"",
        "listen = \"8600\"",
        "public_url = \"http://a.example\"",
        "public_url = \"https://\"",
        "public_url = \"https://a.example/path\"",
        "public_url = \"http://localhost.a.example\"",
        "connections = 0",
        "clients = 0",
        "requests_per_minute = 0",
        "cache_bytes = \"1 KiB\"",
    ] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
}

/// The provider of a configuration whose `[web.oidc]` has these keys.
fn oidc(keys: &str) -> Result<Option<Oidc>, Problems> {
    let text = format!("[web]\npublic_url = \"https://a.example\"\n[web.oidc]\n{keys}");
    Config::from_str(&text, |_| None).map(|config| config.web.oidc)
}

const OIDC: &str = "issuer = \"https://login.example.com/realms/main\"\nclient_id = \"alt\"\nsecret_file = \"oidc.secret\"\n";

#[test]
fn people_sign_in_by_a_provider_whose_settings_are_whole() {
    let of = |more: &str| oidc(&format!("{OIDC}{more}"));
    let found = of("").unwrap().unwrap();
    assert_eq!(found.scopes, ["openid", "email", "profile"]);
    assert_eq!(found.secret, Some(SecretFile::Credential("oidc.secret".into())));
    assert_eq!(found.shown(), "login.example.com");
    let more = "name = \"Ex ä\"\nallow = [\"Example.com\"]\nrole = \"editor\"\nscopes = [\"openid\"]";
    let found = of(more).unwrap().unwrap();
    assert_eq!((found.shown().as_str(), found.role), ("Ex ä", Some(OidcRole::Editor)));
    assert_eq!((found.allow, found.scopes), (vec!["example.com".to_owned()], vec!["openid".to_owned()]));
    for (keys, why) in [
        ("role = \"viewer\"", "has `role` without `allow`"),
        ("role = \"owner\"\nallow = [\"a.b\"]", "is one of viewer, editor"),
        ("allow = [\"https://a.b\"]", "holds host names"),
        ("scopes = [\"email\"]", "needs \"openid\""),
        ("scopes = [\"openid\", \"a b\"]", "visible ASCII"),
        ("nam = \"a\"", "did you mean `name`?"),
        ("name = \"\\n\"", "without control characters"),
    ] {
        let found = of(keys).unwrap_err().to_string();
        assert!(found.contains(why), "{keys}: {found}");
    }
    let none = oidc("").unwrap_err().to_string();
    for key in ["issuer", "client_id", "secret_file"] {
        assert!(none.contains(&format!("[web.oidc] needs `{key}`")), "{none}");
    }
    let alone = Config::from_str(&format!("[web.oidc]\n{OIDC}"), |_| None).unwrap_err().to_string();
    assert!(alone.contains("needs `public_url` in [web]"), "{alone}");
    assert!(
        Config::from_str("[web]\noidc = 5", |_| None).unwrap_err().to_string().contains("write [web.oidc]")
    );
    let by_environment = |name: &str| (name == "ALT_WEB_OIDC_CLIENT_ID").then(|| "other".to_owned());
    let text = format!("[web]\npublic_url = \"https://a.example\"\n[web.oidc]\n{OIDC}");
    assert_eq!(Config::from_str(&text, by_environment).unwrap().web.oidc.unwrap().client_id, "other");
    for issuer in ["http://127.0.0.1:80", "http://[::1]/a", "http://localhost", "https://a.example/b/"] {
        let keys = OIDC.replace("https://login.example.com/realms/main", issuer);
        assert_eq!(oidc(&keys).unwrap().unwrap().issuer, issuer);
    }
    for issuer in [
        "http://login.example.com",
        "http://127.0.0.1.example.com",
        "https://a.example?b",
        "https://a.example#b",
        "https://a@b.example",
        "https://a b.example",
        "https://",
        "file:///a",
        "login.example.com",
    ] {
        let keys = OIDC.replace("https://login.example.com/realms/main", issuer);
        assert!(oidc(&keys).is_err(), "{issuer}");
    }
}

#[test]
fn variables_of_the_provider_are_known_ones() {
    assert_eq!(unknown_variable("ALT_WEB_OIDC_ISSUER"), None);
    let found = unknown_variable("ALT_WEB_OIDC_ISSUR").unwrap();
    assert!(found.what.contains("did you mean `ALT_WEB_OIDC_ISSUER`?"), "{found:?}");
}

/// A channel with these keys, beside its name.
fn channel(keys: &str) -> String {
    format!("[[channel]]\nname = \"a\"\n{keys}")
}

#[test]
fn channels_of_all_kinds_are_read() {
    let config = read(
        r#"
            [alerts]
            allow = ["10.0.0.5:443", "[fd00::5]:25"]
            [[channel]]
            name = "pager"
            kind = "webhook"
            url = "https://hooks.example.com/alt"
            secret_file = "pager.secret"
            [[channel]]
            name = "chat"
            kind = "slack"
            secret_file = "/etc/alt/chat.url"
            [[channel]]
            name = "mail"
            kind = "mail"
            server = "mail.example.com:465"
            tls = "implicit"
            user = "alt"
            secret_file = "/etc/alt/mail.password"
            from = "Alerts <alt@example.com>"
            to = ["ops@example.com"]
            [[channel]]
            name = "am"
            kind = "alertmanager"
            url = "http://127.0.0.1:9093"
            [[channel]]
            name = "files"
            kind = "file"
            directory = "/var/lib/alt/reports"
        "#,
    );
    assert_eq!(config.alerts.allow, ["10.0.0.5:443".parse().unwrap(), "[fd00::5]:25".parse().unwrap()]);
    let kinds: Vec<_> = config.channels.iter().map(|channel| channel.kind.unwrap()).collect();
    use ChannelKind::{Alertmanager, File, Mail, Slack, Webhook};
    assert_eq!(kinds, [Webhook, Slack, Mail, Alertmanager, File]);
    assert_eq!(config.channels[4].directory, Some("/var/lib/alt/reports".into()));
    assert_eq!(config.channels[0].secret, Some(SecretFile::Credential("pager.secret".into())));
    assert_eq!(config.channels[1].secret, Some(SecretFile::Path("/etc/alt/chat.url".into())));
    assert_eq!(config.channels[2].tls, Some(MailTls::Implicit));
    let env = |name: &str| (name == "ALT_ALERTS_ALLOW").then(|| "10.0.0.6:1, 10.0.0.7:2".to_owned());
    assert_eq!(Config::from_str("", env).unwrap().alerts.allow.len(), 2);
}

#[test]
fn a_channel_that_cannot_work_is_named_with_what_it_needs() {
    for (keys, expected) in [
        ("", "the channel a needs `kind`: webhook, slack, mail, alertmanager or file"),
        (
            "kind = \"pigeon\"",
            "line 3: `kind` in [channel] is one of webhook, slack, mail, alertmanager, file, not `pigeon`",
        ),
        ("kind = \"webhook\"\nurl = \"https://a.example\"", "the channel a needs `secret_file`"),
        ("kind = \"alertmanager\"", "the channel a needs `url`"),
        ("kind = \"file\"", "the channel a needs `directory`"),
        ("kind = \"file\"\ndirectory = \"reports\"", "line 4: `directory` in [channel] holds absolute paths"),
        (
            "kind = \"file\"\ndirectory = \"/a\"\nurl = \"https://a.example\"",
            "has `url`, which a channel of kind \"file\" has not",
        ),
        ("kind = \"slack\"", "the channel a needs either `url` or `secret_file`"),
        ("kind = \"slack\"\nurl = \"https://a.example\"\nsecret_file = \"/a\"", "the channel a needs either"),
        ("kind = \"slack\"\nurl = \"ftp://a.example\"", "`url` in [channel] is a URL"),
        ("kind = \"slack\"\nsecret_file = \"../a\"", "is an absolute path, or the name of a credential"),
        ("kind = \"slack\"\nsecret_file = \"..\"", "is an absolute path, or the name of a credential"),
        ("kind = \"mail\"", "the channel a needs `server`"),
        ("kind = \"mail\"\nserver = \"m:0\"", "is HOST or HOST:PORT"),
        ("kind = \"mail\"\nserver = \"u@m\"", "is HOST or HOST:PORT"),
        ("kind = \"mail\"\nuser = \"u\"", "needs both `user` and `secret_file`"),
        (
            "kind = \"mail\"\nuser = \"u\"\nsecret_file = \"a\"\ntls = \"none\"",
            "sends a password over TLS only",
        ),
        ("kind = \"mail\"\nto = [\"ops\"]", "line 4: `to` in [channel] is like"),
        ("kind = \"mail\"\nfrom = \"a@b\\r\\nBcc: c@d\"", "line 4: `from` in [channel] is like"),
        (
            "kind = \"mail\"\nurl = \"https://a.example\"",
            "has `url`, which a channel of kind \"mail\" has not",
        ),
        ("kind = \"webhook\"\nserver = \"m\"", "has `server`, which a channel of kind \"webhook\" has not"),
        ("secretfile = \"x\"", "line 3: unknown key `secretfile` in [channel]; did you mean `secret_file`?"),
        (
            "kind = \"slack\"\nurl = \"https://a.example\"\n[[channel]]\nname = \"a\"",
            "has the name of another channel",
        ),
        ("[[channel]]\nkind = \"slack\"", "channel 2 needs `name`"),
        (
            "kind = \"slack\"\nurl = \"https://a.example\"\nfallback = \"b\"",
            "the channel a has the fallback `b`, and no channel has this name",
        ),
        (
            "kind = \"slack\"\nurl = \"https://a.example\"\nfallback = \"a\"",
            "the channel a is its own fallback in the end",
        ),
    ] {
        let found = problems(&channel(keys), &[]);
        assert!(found.contains(expected), "{keys}: {found}");
    }
    for (text, expected) in [
        ("[alerts]\nallow = [\"db.example.net:443\"]", "line 2: `allow` in [alerts] holds ADDRESS:PORT"),
        ("[alerts]\nallow = [\"10.0.0.5\"]", "holds ADDRESS:PORT"),
        ("[alerts]\nallow = [\"10.0.0.5:0\"]", "holds ADDRESS:PORT"),
        ("[alerts]\nallow = [\"10.0.0.0/8\"]", "holds ADDRESS:PORT"),
        ("[channel]\nname = \"a\"", "line 1: there may be several: write [[channel]]"),
        ("channel = [1]", "a channel is a [[channel]] table"),
    ] {
        let found = problems(text, &[]);
        assert!(found.contains(expected), "{text}: {found}");
    }
    for name in ["", "a b", "ä", &"a".repeat(65)] {
        let text = format!("[[channel]]\nname = \"{name}\"\nkind = \"slack\"\nurl = \"https://a.example\"");
        assert!(problems(&text, &[]).contains("`name` in [channel]"), "{name}");
    }
}
