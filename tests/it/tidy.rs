//! Rules of the project that no compiler knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

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
    collect(&root().join(folder), ending, &mut found);
    assert!(!found.is_empty(), "no {ending} below {folder}");
    found
}

/// All files of Rust that the program is built from.
fn sources() -> Vec<(PathBuf, String)> {
    let mut sources = files("src", ".rs");
    sources.extend(files("crates", ".rs"));
    sources
}

/// The part of a file that is not its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// The lines of code of a file, without its tests and comments.
fn lines_of_code(text: &str) -> impl Iterator<Item = &str> {
    code(text).lines().filter(|line| !line.trim_start().starts_with("//"))
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
        "async fn",
        ".await",
        "println!",
        "static mut",
    ];
    let mut pure = files("crates/line/src", ".rs");
    pure.extend(files("crates/statistics/src", ".rs"));
    pure.extend(files("crates/alerts/src", ".rs"));
    for (path, text) in pure {
        for line in lines_of_code(&text) {
            // Threads that end with the call that begins them are nobody's business.
            let line = line.replace("std::thread::scope", "");
            for word in forbidden {
                assert!(!line.contains(word), "{}: {word} in: {line}", path.display());
            }
        }
    }
}

/// The keys of a table of a Cargo.toml.
fn keys(manifest: &str, table: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest.get(table).and_then(toml::Value::as_table).map_or_else(Vec::new, |t| t.keys().cloned().collect())
}

#[test]
fn the_crates_know_only_those_below() {
    // From the bottom up: each may use those named, and no other of ours.
    let arrows: [(&str, &[&str]); 9] = [
        ("line", &[]),
        ("config", &["alt-line"]),
        ("process", &["alt-line"]),
        ("statistics", &[]),
        ("alerts", &[]),
        ("store", &["alt-alerts", "alt-config", "alt-line", "alt-process", "alt-statistics"]),
        ("collect", &["alt-config", "alt-line", "alt-process", "alt-store"]),
        ("deliver", &["alt-alerts", "alt-config", "alt-process"]),
        (
            "web",
            &[
                "alt-alerts",
                "alt-config",
                "alt-deliver",
                "alt-line",
                "alt-process",
                "alt-statistics",
                "alt-store",
            ],
        ),
    ];
    let mut folders: Vec<_> =
        fs::read_dir(root().join("crates")).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), arrows.len(), "a crate that the arrows do not name: {folders:?}");
    for (name, allowed) in arrows {
        let file = root().join("crates").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let ours: Vec<String> =
            keys(&manifest, "dependencies").into_iter().filter(|name| name.starts_with("alt-")).collect();
        assert_eq!(ours, allowed, "crates/{name}");
    }
    // What does I/O, runs tasks or logs has no place in the pure crate.
    let line = fs::read_to_string(root().join("crates/line/Cargo.toml")).unwrap();
    for name in keys(&line, "dependencies") {
        let is_shell =
            ["tokio", "tracing", "notify", "nix", "aws", "hyper", "tempfile", "procfs", "getrandom"]
                .iter()
                .any(|shell| name.starts_with(shell));
        assert!(!is_shell, "crates/line depends on {name}");
    }
}

/// The module that a path of a `use` leads to: the longest beginning of `path` that is a file.
fn module_of(path: &[&str], modules: &BTreeMap<String, Vec<String>>) -> Option<String> {
    (1..=path.len()).rev().map(|n| path[..n].join("::")).find(|name| modules.contains_key(name))
}

/// The paths of a `use`, with its braces taken apart.
fn paths_of(tree: &str, before: &str, to: &mut Vec<String>) {
    let mut depth = 0;
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, rest)) => {
                paths_of(rest.trim_end().strip_suffix('}').unwrap_or(rest), &format!("{before}{head}"), to);
            }
            None => to.push(format!("{before}{part}")),
        }
    }
}

/// The modules of a crate, each with those that it uses: the modules below it, and those that its code names. What a
/// module takes from the one that it stands in is no arrow.
fn arrows_of(folder: &str) -> BTreeMap<String, Vec<String>> {
    let files = files(folder, ".rs");
    let name_of = |path: &Path| {
        let path = path.strip_prefix(root().join(folder)).unwrap().with_extension("");
        let mut names: Vec<String> = path.iter().map(|n| n.to_str().unwrap().to_owned()).collect();
        if ["mod", "lib", "main"].contains(&names.last().unwrap().as_str()) {
            names.pop();
        }
        names.insert(0, "crate".to_owned());
        names.join("::")
    };
    let mut modules: BTreeMap<String, Vec<String>> =
        files.iter().map(|(path, _)| (name_of(path), Vec::new())).collect();
    let names = modules.clone();
    for name in names.keys() {
        let (above, _) = name.rsplit_once("::").unwrap_or_default();
        if above != "crate"
            && let Some(below) = modules.get_mut(above)
        {
            below.push(name.clone());
        }
    }
    for (path, text) in &files {
        let from = name_of(path);
        let mut uses = Vec::new();
        let code: String = lines_of_code(text).collect::<Vec<_>>().join("\n");
        for tree in code.split("use ").skip(1).filter_map(|rest| rest.split(';').next()) {
            paths_of(&tree.replace('\n', " "), "", &mut uses);
        }
        // Paths that are written out in the code.
        for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            if word.starts_with("crate::") || word.starts_with("super::") {
                uses.push(word.to_owned());
            }
        }
        for path in uses {
            let mut at: Vec<&str> = from.split("::").collect();
            let mut parts = path.split("::").map(str::trim).peekable();
            match parts.peek() {
                Some(&"crate") => {
                    parts.next();
                    at.truncate(1);
                }
                Some(&"super") => {
                    while parts.next_if_eq(&"super").is_some() {
                        at.pop();
                    }
                }
                Some(&"self") => drop(parts.next()),
                // A module of one's own, or another crate.
                _ => continue,
            }
            at.extend(parts);
            let Some(to) = module_of(&at, &names) else { continue };
            let is_above = |a: &str, b: &str| b == a || b.starts_with(&format!("{a}::"));
            if to != "crate" && !is_above(&from, &to) && !is_above(&to, &from) {
                modules.get_mut(&from).unwrap().push(to);
            }
        }
    }
    modules
}

#[test]
fn no_module_uses_one_that_uses_it() {
    for folder in [
        "src",
        "crates/line/src",
        "crates/config/src",
        "crates/process/src",
        "crates/statistics/src",
        "crates/store/src",
        "crates/collect/src",
        "crates/web/src",
        "crates/deliver/src",
    ] {
        let arrows = arrows_of(folder);
        // Whoever is reached from here, and from where.
        for from in arrows.keys() {
            let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
            let mut next = vec![from.as_str()];
            while let Some(at) = next.pop() {
                for to in &arrows[at] {
                    if !came_from.contains_key(to.as_str()) {
                        came_from.insert(to, at);
                        next.push(to);
                    }
                }
            }
            let mut circle = vec![from.as_str()];
            while let Some(before) = came_from.get(circle.last().unwrap()) {
                circle.push(before);
                if before == from {
                    break;
                }
            }
            assert!(!came_from.contains_key(from.as_str()), "{folder}: a circle, backwards: {circle:?}");
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
        [("src", ".rs"), ("crates", ".rs"), ("tests", ".rs"), ("sql", ".sql"), ("nginx", ""), ("scripts", "")]
    {
        for (path, text) in files(folder, ending) {
            for mark in marks {
                assert!(!text.contains(mark), "{}: {mark}", path.display());
            }
        }
    }
}

/// The string literals of a file of Rust, and the rest of it, without comments.
fn literals_and_code(text: &str) -> (Vec<String>, String) {
    let (mut literals, mut code) = (Vec::new(), String::new());
    let mut rest = text;
    let raw = Regex::new(r##"^b?c?r(#*)""##).unwrap();
    while let Some(c) = rest.chars().next() {
        let is_within_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = &rest[rest.find("*/").map_or(rest.len(), |end| end + 2)..];
        } else if let Some(begins) = raw.captures(rest).filter(|_| !is_within_word) {
            let (begin, end) = (begins[0].len(), format!("\"{}", &begins[1]));
            let ends = rest[begin..].find(&end).map_or(rest.len(), |ends| begin + ends);
            literals.push(rest[begin..ends].to_owned());
            rest = rest.get(ends + end.len()..).unwrap_or("");
            code.push_str("\"\"");
        } else if c == '"' {
            let mut literal = String::new();
            let mut chars = rest[1..].chars();
            while let Some(next) = chars.next().filter(|next| *next != '"') {
                // What is escaped is no letter: a quote, or the end of a line.
                literal.push(if next == '\\' { chars.next().map_or(' ', |_| ' ') } else { next });
            }
            literals.push(literal);
            rest = chars.as_str();
            code.push_str("\"\"");
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest = &rest[rest[1..].find('\'').unwrap() + 2..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    (literals, code)
}

/// What a file holds that only the store may: a statement, or a way to send one.
fn statements_in(text: &str) -> Vec<String> {
    let statement = Regex::new(
        r"(?isx) \bselect\b.*\bfrom\b | \binsert\s+into\b | \bdelete\s+from\b | \bmerge\s+into\b
          | \bupdate\s+\S+ (\s+(as\s+)?\w+)? \s+set\b | \bwith\s+(recursive\s+)?\w+\s+as\s*\(
          | \b(create|alter|drop|truncate)\s+(or\s+replace\s+)?
            (table|index|view|role|user|database|schema|function|extension|sequence)\b
          | \b(grant|revoke)\s+[\w,\s]+\s+on\b | \bset\s+(local|session)\b | \bpg_(advisory|terminate|cancel|stat)_\w+
          | (?-i: ^\W*(SELECT|COPY|TRUNCATE|VACUUM|ANALYZE|LOCK|LISTEN|NOTIFY|CALL|DO)\b
                | ^\W*(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|SET|RESET)\b)",
    );
    let sends = Regex::new(
        r"(?x) (\.|::)\s* (query(_one|_opt|_raw|_scalar(_one|_opt)?|_typed(_one|_opt|_raw)?)? | execute(_raw|_typed)?
          | simple_query(_raw)? | batch_execute | prepare(_typed)? | copy_in | copy_out | (build_)?transaction) \b",
    );
    let (statement, sends) = (statement.unwrap(), sends.unwrap());
    let (literals, code) = literals_and_code(text);
    // Questions to segments are no statements.
    let code = code.replace("alt_statistics::query", "");
    let mut found: Vec<String> = literals.into_iter().filter(|l| statement.is_match(l)).collect();
    found.extend(sends.find_iter(&code).map(|call| call.as_str().to_owned()));
    found.extend(["tokio_postgres", ".sql\""].iter().filter(|w| text.contains(*w)).map(|w| (*w).to_owned()));
    found
}

#[test]
fn statements_stand_in_the_store_alone() {
    let mut above = files("src", ".rs");
    for name in ["collect", "config", "process", "web"] {
        above.extend(files(&format!("crates/{name}"), ".rs"));
    }
    for (path, text) in above {
        let found = statements_in(&text);
        assert!(found.is_empty(), "{}: belongs into crates/store: {found:?}", path.display());
    }
    // Without it, nobody can name a type of a parameter, or make a connection of his own.
    let mut manifests = vec![root().join("Cargo.toml")];
    manifests.extend(
        ["line", "config", "process", "collect", "web"]
            .map(|n| root().join("crates").join(n).join("Cargo.toml")),
    );
    for path in manifests {
        let manifest = fs::read_to_string(&path).unwrap();
        for name in keys(&manifest, "dependencies") {
            let is_client = ["postgres", "sqlx", "diesel"].iter().any(|client| name.contains(client));
            assert!(!is_client, "{}: {name} is for crates/store", path.display());
        }
    }
}

/// The file has tests or benchmarks alone.
fn is_of_tests(path: &Path) -> bool {
    let path = path.to_str().unwrap();
    path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

/// The name and the parameters of each function of a file, without those of its tests.
fn functions(text: &str) -> Vec<(String, Vec<String>)> {
    let text: Vec<&str> = lines_of_code(text).collect();
    let text = text.join("\n");
    let begin = Regex::new(r"\bfn (\w+)").unwrap();
    let parameters = |rest: &str| {
        let (mut all, mut angles, mut before) = (vec![String::new()], 0, ' ');
        // Behind the generic parameters.
        let opens = rest.find(|letter| {
            angles += i32::from(letter == '<') - i32::from(letter == '>' && before != '-');
            before = letter;
            letter == '(' && angles == 0
        });
        let rest = opens.map_or("", |at| &rest[at + 1..]);
        let mut depth = 0;
        let mut before = ' ';
        for letter in rest.chars() {
            match letter {
                ')' if depth == 0 => break,
                ',' if depth == 0 => {
                    all.push(String::new());
                    continue;
                }
                '(' | '[' | '<' => depth += 1,
                '>' if before == '-' => {}
                ')' | ']' | '>' => depth -= 1,
                _ => {}
            }
            before = letter;
            all.last_mut().unwrap().push(letter);
        }
        all.iter().map(|one| one.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    begin
        .captures_iter(&text)
        .map(|found| (found[1].to_owned(), parameters(&text[found.get(0).unwrap().end()..])))
        .collect()
}

/// A parameter is a tuple, whose parts have no names where it is called.
fn is_tuple(parameter: &str) -> bool {
    let kind = parameter.split_once(": ").map_or("", |(_, kind)| kind);
    let kind = kind.strip_prefix('&').unwrap_or(kind);
    let kind = kind.split_once(' ').filter(|_| kind.starts_with('\'')).map_or(kind, |(_, kind)| kind);
    let kind = kind.strip_prefix("mut ").unwrap_or(kind);
    parameter.starts_with('(') || kind.starts_with('(') && !kind.starts_with("(dyn ")
}

#[test]
fn no_parameter_is_a_tuple() {
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_of_tests(path)) {
        for (name, parameters) in functions(&text) {
            let tuple = parameters.iter().find(|one| is_tuple(one));
            assert!(tuple.is_none(), "{}: {name} takes {tuple:?}: name a type for it", path.display());
        }
    }
    let found =
        functions("fn a<T: Fn((u8, u8)) -> u8>(b: &[(u8, u8)], c: T) {}\nfn d(\n    (e, f): (u8, u8),\n) {}");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].1.iter().all(|one| !is_tuple(one)) && found[1].1.iter().any(|one| is_tuple(one)));
    for tuple in ["a: (u8, u8)", "a: &(u8, u8)", "a: &'a mut (u8, u8)", "(a, b): Two"] {
        assert!(is_tuple(tuple), "{tuple}");
    }
    assert!(!is_tuple("a: &(dyn Error + 'static)") && !is_tuple("&mut self"));
}

/// The most lines of a function.
const FUNCTION_LINES_MAX: usize = 80;

#[test]
fn functions_fit_on_a_screen() {
    let begin = Regex::new(r"^( *)(pub(\(\w+\))? )?(const )?(async )?fn (\w+)").unwrap();
    let mut looked_at = 0;
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_of_tests(path)) {
        let lines: Vec<&str> = code(&text).lines().collect();
        for (first, found) in
            lines.iter().enumerate().filter_map(|(n, line)| Some((n, begin.captures(line)?)))
        {
            let end = format!("{}}}", &found[1]);
            let Some(more) = lines[first..].iter().position(|line| *line == end) else { continue };
            looked_at += 1;
            let (name, lines) = (&found[6], more + 1);
            assert!(lines <= FUNCTION_LINES_MAX, "{}: {name} has {lines} lines", path.display());
        }
    }
    assert!(looked_at > 2_000, "{looked_at}");
}

#[test]
fn a_statement_is_found_however_it_is_written() {
    for planted in [
        r#"let sql = "SELECT 1";"#,
        r#"let sql = "select app_key\n from applications";"#,
        r##"let sql = r#"INSERT INTO "t" VALUES (1)"#;"##,
        r#"let sql = "UPDATE checkpoints \
                      SET rows = 0";"#,
        r#"let sql = "UPDATE checkpoints c SET rows = 0";"#,
        r#"format!("DELETE FROM {table}")"#,
        r#"let sql = "/* */ WITH gone AS (DELETE";"#,
        r#"("role alt", "CREATE ROLE alt LOGIN")"#,
        r#"let end = "COMMIT";"#,
        r#"client.batch_execute(&sql).await"#,
        "client\n    .query_typed_one(sql, &[])",
        "client . execute (sql)",
        "Client::execute(&client, sql, &[])",
        "let send = Client::simple_query;",
        "let tx = client.build_transaction().start()",
        "use tokio_postgres::Client;",
        r#"let sql = include_str!("../../sql/status.sql");"#,
        r#"let quote = '"'; client.copy_in(sql)"#,
        r#"let url = "https://a"; let sql = "DELETE FROM a";"#,
    ] {
        assert!(!statements_in(planted).is_empty(), "{planted}");
    }
    for harmless in [
        "// client.execute(\"SELECT 1\")",
        "/* SELECT 1 FROM a */",
        r#"bail!("select the files to be loaded")"#,
        r#"let what = "update the file, then set it anew"; let a = b'"';"#,
        r#"status::files(client, host).await"#,
        r#"let text = "deleted from the disk";"#,
    ] {
        let found = statements_in(harmless);
        assert!(found.is_empty(), "{harmless}: {found:?}");
    }
}

#[test]
fn every_query_file_is_used() {
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
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
    for (path, text) in sources() {
        for line in lines_of_code(&text).map(str::trim) {
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
    for (path, _) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let parts: Vec<_> = path.strip_prefix(root()).unwrap().iter().map(|p| p.to_str().unwrap()).collect();
        // Below parse/, enrich/ and check/ the folder is named.
        let deep = if parts[0] == "crates" { parts.len() > 4 } else { parts.len() > 3 };
        let shown = if deep { parts[parts.len() - 2] } else { name };
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
        named.iter().map(|test| test.rsplit_once("::").unwrap()).filter(|test| test.0 != "area")
    {
        let file = format!("tests/it/{}.rs", area.replace("::", "/"));
        let text =
            fs::read_to_string(root().join(&file)).unwrap_or_else(|e| panic!("{area}::{name}: {file}: {e}"));
        let is_test = ["fn", "async fn"].iter().any(|fun| text.contains(&format!("]\n{fun} {name}() {{")));
        assert!(is_test, "docs/GUARANTEES.md names {area}::{name}, which is not there");
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
