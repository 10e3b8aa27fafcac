//! `alt beacon`: what it writes, and what it puts into a bucket.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::archive::credentials;
use crate::support::daemon::{alt, configuration};
use crate::support::lines::register;
use crate::support::postgres::Database;
use crate::support::s3::Server;

/// Runs `alt beacon`; whether it went well, and what it said.
fn beacon(config: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = alt();
    let output =
        credentials(&mut command).arg("--config").arg(config).arg("beacon").args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn sha256(path: &Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn scripts_are_written_for_all_applications_and_old_ones_stay() {
    let place = tempfile::tempdir().unwrap();
    let database = Database::create();
    register(&database);
    database.psql("INSERT INTO applications (app_key, name) VALUES ('blog', 'Blog')");
    database.psql("INSERT INTO applications (app_key, name, disabled_at) VALUES ('old', 'Old', now())");
    let config = configuration(place.path(), &database, "", "");
    let out = place.path().join("out");
    let built = |more: &[&str]| {
        let arguments =
            [&["build", "--host", "events.example.com", "--out", out.to_str().unwrap()], more].concat();
        let (well, said) = beacon(&config, &arguments);
        assert!(well, "{said}");
        said
    };
    let said = built(&[]);
    let files = names(&out);
    let hash = &sha256(&out.join("m.js"))[..16];
    let fixed = format!("m.{hash}.js");
    let expected = ["m.js", "m.js.map", &fixed, &format!("{fixed}.map"), "m.shop.html", "m.blog.html"]
        .map(str::to_owned);
    assert_eq!(files, BTreeSet::from(expected));
    assert_eq!(fs::read(out.join(&fixed)).unwrap(), fs::read(out.join("m.js")).unwrap());
    for part in
        ["For blog (Blog)", "For shop (Shop)", "https://events.example.com/s/m.js\" data-a=\"shop\"", &fixed]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What browsers check it by.
    let openssl = "openssl dgst -sha384 -binary \"$0\" | openssl base64 -A";
    let output = Command::new("sh").args(["-c", openssl]).arg(out.join(&fixed)).output().unwrap();
    let integrity = String::from_utf8(output.stdout).unwrap();
    assert_eq!(integrity.len(), 64);
    let html = fs::read_to_string(out.join("m.shop.html")).unwrap();
    assert!(html.contains(&format!("integrity=\"sha384-{integrity}\" crossorigin=\"anonymous\"")), "{html}");

    // The same again changes no file; other options make another script beside the old one.
    let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(out.join(name)).unwrap());
    let before = (inode("m.js"), inode(&fixed));
    built(&[]);
    assert_eq!((inode("m.js"), inode(&fixed)), before);
    built(&["--hash", "--endpoint", "/q7", "--app", "shop"]);
    assert_eq!(inode(&fixed), before.1);
    let more: BTreeSet<String> = names(&out).difference(&files).cloned().collect();
    let hash = &sha256(&out.join("m.js"))[..16];
    let expected = [format!("m.{hash}.js"), format!("m.{hash}.js.map"), "m.nginx.conf".to_owned()];
    assert_eq!(more, BTreeSet::from(expected));
    assert!(fs::read_to_string(out.join("m.nginx.conf")).unwrap().contains("location = /q7 {"));
    assert!(fs::read_to_string(out.join("m.shop.html")).unwrap().contains("/q7?a=shop"));
}

#[test]
fn a_named_application_needs_no_database_and_wrong_options_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let config = place.path().join("alt.toml");
    fs::write(&config, "[postgres]\nurl = \"postgres://nobody@127.0.0.1:1/none?sslmode=disable\"\n").unwrap();
    let (well, said) = beacon(&config, &["build", "--app", "k1", "--json"]);
    assert!(well, "{said}");
    let built: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(built["applications"][0]["key"], "k1");
    assert!(built["applications"][0]["html"].as_str().unwrap().contains("https://YOUR-HOST/s/m.js"));
    for (arguments, wrong) in [
        (&["build"][..], "--app KEY names one"),
        (&["build", "--app", "k\"1"], "--app"),
        (&["build", "--app", "k1", "--host", "a\"b"], "--host"),
        (&["build", "--app", "k1", "--script", "../m.js"], "--script"),
        (&["build", "--app", "k1", "--scripts", "https://x/\"/"], "--scripts"),
        (&["build", "--app", "k1", "--out", "/proc/none"], "/proc/none"),
        (&["publish", "--app", "k1", "--to", "file:///tmp"], "--to file:///tmp"),
    ] {
        let (well, said) = beacon(&config, arguments);
        assert!(!well && said.contains(wrong), "{arguments:?}: {said}");
    }
}

#[test]
fn scripts_go_into_a_bucket_with_how_long_they_may_be_kept() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let config = place.path().join("alt.toml");
    fs::write(&config, server.configuration("archive")).unwrap();
    let to = server.configuration("web/s");
    let to = to.lines().find_map(|line| line.strip_prefix("url = \"")).unwrap().trim_end_matches('"');
    let publish = |more: &[&str]| beacon(&config, &[&["publish", "--app", "k1", "--to", to], more].concat());
    let puts = || -> Vec<String> {
        let requests = server.requests();
        requests.into_iter().filter(|request| request.starts_with("PUT")).collect()
    };
    server.requests();
    let (well, said) = publish(&[]);
    assert!(well, "{said}");
    let sent = puts();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].contains("immutable") && sent[0].contains("if-none-match=*"), "{sent:?}");
    assert!(sent[1].contains("max-age=3600") && !sent[1].contains("if-none-match"), "{sent:?}");
    let objects = server.objects();
    let keys: Vec<&str> = objects.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((objects.len(), keys[1]), (2, "web/s/m.js"), "{keys:?}");
    assert_eq!(keys[0], format!("web/s/m.{}.js", &sha256(&objects[1].1)[..16]));
    assert_eq!(fs::read(&objects[0].1).unwrap(), fs::read(&objects[1].1).unwrap());

    // What never changes is left as it is.
    let (well, said) = publish(&[]);
    assert!(well && said.starts_with("published  m.js to "), "{said}");
    assert_eq!(server.objects().len(), 2);
    server.always(Some(crate::support::s3::Fault::Answer(403, "AccessDenied")));
    let (well, said) = publish(&[]);
    assert!(!well && said.contains("403") && said.contains("m."), "{said}");
}
