//! Rules of the project that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

/// All files below a folder of the project whose names end so.
fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, ending: &str, to: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, ending, to);
            } else if path.to_str().unwrap().ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                to.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), ending, &mut found);
    assert!(!found.is_empty(), "no {ending} below {folder}");
    found
}

/// The part of a file that is not its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn the_pure_part_knows_no_files_network_clocks_or_logs() {
    let forbidden = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::env",
        "std::thread",
        "std::process",
        "std::time",
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "tokio",
        "tracing",
        "notify::",
        "async fn",
        ".await",
        "println!",
        "static mut",
        "crate::store",
        "crate::source",
        "crate::clock",
        "crate::config",
        "crate::cmd",
        "crate::pipeline",
    ];
    for (path, text) in files("crates/line/src", ".rs") {
        for line in code(&text).lines().filter(|l| !l.trim_start().starts_with("//")) {
            for word in forbidden {
                assert!(!line.contains(word), "{}: {word} in: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_floors_hold() {
    // Who may not know whom: an arrow up or a circle.
    for (folder, forbidden) in [
        ("crates/collect/src/source", &["crate::cmd", "crate::pipeline", "crate::cli"][..]),
        ("crates/store/src", &["crate::cmd", "crate::pipeline", "crate::cli", "crate::source"]),
    ] {
        for (path, text) in files(folder, ".rs") {
            for word in forbidden {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

#[test]
fn every_module_says_what_it_answers_for() {
    for folder in ["src", "crates", "tests"] {
        for (path, text) in files(folder, ".rs") {
            assert!(
                text.starts_with("//! ") || text.starts_with("use "),
                "{} has no module doc",
                path.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_to_be_done() {
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("unimple", "mented!")];
    for (folder, ending) in
        [("src", ".rs"), ("tests", ".rs"), ("sql", ".sql"), ("nginx", ""), ("scripts", "")]
    {
        for (path, text) in files(folder, ending) {
            for mark in marks {
                assert!(!text.contains(mark), "{}: {mark}", path.display());
            }
        }
    }
}

#[test]
fn every_query_file_is_used() {
    let sources: String = files("src", ".rs").into_iter().map(|(_, text)| text).collect();
    for (path, _) in files("sql", ".sql") {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(sources.contains(&format!("sql/{name}")), "{name} is used nowhere");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn output_goes_where_it_was_handed() {
    for (path, text) in files("src", ".rs") {
        for line in code(&text).lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            for word in ["println!(", "print!(", "process::exit"] {
                let stray = line.contains(word) && !line.contains("eprint");
                assert!(!stray, "{}: write to `out` instead: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_code_map_names_every_file_and_folder_of_the_source() {
    let map = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let exempt = ["lib", "mod"];
    for (path, _) in files("src", ".rs") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        // below parse/, enrich/ and check/ the folder is named
        let deep = path.strip_prefix(root()).unwrap().components().count() > 3;
        let shown = if deep { path.parent().unwrap().file_name().unwrap().to_str().unwrap() } else { name };
        assert!(
            exempt.contains(&name) || map.contains(shown),
            "docs/ARCHITECTURE.md does not name {}",
            path.display()
        );
    }
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut documents = files("docs", ".md");
    for name in ["README.md", "CHANGELOG.md", "monitoring/README.md"] {
        documents.push((root().join(name), fs::read_to_string(root().join(name)).unwrap()));
    }
    for (path, text) in documents {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = path.parent().unwrap().join(file);
            let mut well = link.starts_with("https://") || file.is_empty() || fs::metadata(&target).is_ok();
            if well && !heading.is_empty() && !link.starts_with("https://") {
                let there = if file.is_empty() { text.clone() } else { fs::read_to_string(&target).unwrap() };
                let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                well = there.lines().any(|line| line.starts_with('#') && slug(line) == heading);
            }
            assert!(well, "{}: {link} is not there", path.display());
        }
    }
}

#[test]
fn the_tests_that_hold_the_guarantees_are_there() {
    let guarantees = fs::read_to_string(root().join("docs/GUARANTEES.md")).unwrap();
    let is_name = |text: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':';
        text.contains("::") && text.chars().all(plain)
    };
    // Between backticks is every other piece.
    let named: Vec<&str> = guarantees.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() > 40, "{named:?}");
    for (area, name) in
        named.iter().map(|test| test.split_once("::").unwrap()).filter(|test| test.0 != "area")
    {
        let file = format!("tests/it/{area}.rs");
        let text =
            fs::read_to_string(root().join(&file)).unwrap_or_else(|e| panic!("{area}::{name}: {file}: {e}"));
        let test = format!("]\nfn {name}() {{");
        assert!(text.contains(&test), "docs/GUARANTEES.md names {area}::{name}, which is not there");
    }
    // Every line of its tables has its test.
    let rows = guarantees.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault"));
    rows.for_each(|row| assert!(row.contains("::"), "no test: {row}"));
}

#[test]
fn the_commands_of_the_readme_are_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let alt = env!("CARGO_BIN_EXE_alt");
    for line in readme.lines().map(str::trim) {
        if let Some(script) = line.strip_prefix("scripts/") {
            let name = script.split_whitespace().next().unwrap();
            assert!(fs::metadata(root().join("scripts").join(name)).is_ok(), "{line}");
        }
        if let Some(verb) = line.strip_prefix("sudo alt ") {
            let verb = verb.split_whitespace().next().unwrap();
            let help = std::process::Command::new(alt).args([verb, "--help"]).output().unwrap();
            assert!(help.status.success(), "{line}");
        }
    }
}
