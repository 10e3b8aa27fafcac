//! Hostile input: what `fuzz/` feeds to the parsers and decoders, in short; and what nobody sends who means well, through
//! the real binary.
//!
//! Cases are drawn from the corpora in `fuzz/corpus/`, always the same ones; `ALT_TEST_SEED=N` plays one again,
//! `ALT_TEST_FULL=1` plays many more, and floods in earnest, which takes a release build and some minutes:
//!
//! ```text
//! ALT_TEST_FULL=1 cargo test --release --test it hostile:: -- --nocapture --test-threads=1
//! ```
//!
//! Held elsewhere: how many instructions lines take in `worst_lines`, names and broken members of archives in `inputs`, `alt` commands one by one in `cli`, what nginx lets
//! through in `nginx`, reasons of rejects in `loading`.

use std::fs;
use std::io::{BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::daemon::{alt, patience, wait_for};
use crate::support::lines::{alt1, many};
use crate::support::pack::{Pack, bzip2, gzip, zstandard};
use crate::support::postgres::Database;

#[path = "../../fuzz/src/lib.rs"]
pub(crate) mod targets;

pub(crate) fn full() -> bool {
    std::env::var_os("ALT_TEST_FULL").is_some()
}

/// Numbers that look like chance and are the same for the same seed (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Less than `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }

    /// A stretch of so many bytes.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        from..from + self.below((length - from).min(64) + 1)
    }
}

/// Pieces that parsers look for, and numbers at the ends of their ranges.
const PIECES: [&[u8]; 40] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b"\\",
    b"\"",
    b"'",
    b"%",
    b"%00",
    b"%ff",
    b"&",
    b"=",
    b"+",
    b"$",
    b"{",
    b"}",
    b"[",
    b"]",
    b"/",
    b"-",
    b",",
    b" ",
    b"alt1\t",
    b"\\u0000",
    b"\\ud800",
    b"\\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\x1b[2J",
    b"1e9999",
    b"-1",
    b"9223372036854775807",
    b"18446744073709551616",
    b"null",
    b"\x1f\x8b\x08\0",
    b"\x28\xb5\x2f\xfd",
    b"ustar",
    b"\x5e\x2a\x4d\x18",
    b"\xff\xff\xff\xff",
];

/// A file of the corpus after a few changes, which follow from the seed.
fn drawn(corpus: &[(PathBuf, Vec<u8>)], seed: u64) -> Vec<u8> {
    const BYTES_MAX: usize = 600_000;
    let mut dice = Dice(seed);
    let mut case = corpus[dice.below(corpus.len())].1.clone();
    for _ in 0..=dice.below(5) {
        let range = dice.range(case.len());
        let piece = PIECES[dice.below(PIECES.len())];
        match dice.below(16) {
            0..3 => case.truncate(range.start),
            3..6 => drop(case.drain(range)),
            6..9 => drop(case.splice(range.start..range.start, piece.iter().copied())),
            9..11 => drop(case.splice(range, piece.iter().copied())),
            11..13 => {
                let other = &corpus[dice.below(corpus.len())].1;
                let from = dice.range(other.len()).start;
                case.truncate(range.start);
                case.extend_from_slice(&other[from..]);
            }
            13 => {
                // sometimes enough for a line that is too long
                let times = if dice.below(8) == 0 { 10_000 } else { 50 };
                let repeated = case[range.clone()].repeat(1 + dice.below(times));
                case.splice(range, repeated);
            }
            _ => {
                if let Some(byte) = case.get_mut(range.start) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
        case.truncate(BYTES_MAX);
    }
    case
}

/// The files of a target's corpus, by name.
pub(crate) fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

/// Feeds a target its corpus, and so many cases that are drawn from it.
fn hold(target: &str, count: u64) {
    let (_, body) = targets::ALL.into_iter().find(|(name, _)| *name == target).unwrap();
    let play = |what: &str, bytes: &[u8]| {
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| body(bytes)));
        let took = started.elapsed();
        let shown = bytes[..bytes.len().min(5000)].escape_ascii();
        assert!(outcome.is_ok() && took < patience(10), "{what}, {took:?}: {shown}");
    };
    let corpus = corpus(target);
    for (path, bytes) in &corpus {
        play(&path.display().to_string(), bytes);
    }
    let one: Option<u64> = std::env::var("ALT_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..if full() { 20 * count } else { count },
    };
    for seed in seeds {
        play(&format!("ALT_TEST_SEED={seed}"), &drawn(&corpus, seed));
    }
}

#[test]
fn lines() {
    hold("line", 3000);
}

#[test]
fn log_formats() {
    hold("log_format", 5000);
}

#[test]
fn queries() {
    hold("query", 5000);
}

#[test]
fn bodies() {
    hold("json", 5000);
}

#[test]
fn packed_files() {
    hold("packed", 3000);
}

#[test]
fn archives() {
    hold("tar", 5000);
}

#[test]
fn configurations() {
    hold("config", 3000);
}

#[test]
fn names() {
    hold("names", 5000);
}

#[test]
fn fragments_again_and_again() {
    hold("slow", 500);
}

#[test]
fn segments_are_whole_or_refused() {
    hold("segment", 300);
}

#[test]
fn every_target_is_built_and_has_a_small_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let mut bytes = 0;
    for (target, _) in targets::ALL {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        let program = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(program.contains(&format!("targets::{target}(data)")), "{program}");
        bytes += corpus(target).iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
    assert_eq!(manifest.matches("[[bin]]").count(), targets::ALL.len());
    assert!(bytes < 500_000, "{bytes} bytes");
}

/// How a run of `alt` ended: exit code, both outputs, and its greatest resident memory, KiB.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
    peak_kib: u64,
}

impl Ran {
    /// What a replay said of so many, with `--json`.
    fn count(&self, name: &str) -> u64 {
        let account: Value = serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        account[name].as_u64().unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    /// Lines, rows and rejects.
    fn counts(&self) -> (u64, u64, u64) {
        let account: Value = serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        let rejects = account["rejects"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        (self.count("lines"), self.count("rows"), rejects)
    }
}

/// Runs `alt` with a bench's configuration to its end, and watches its memory.
fn watched(bench: &Bench, args: &[&str]) -> Ran {
    let mut child = alt()
        .args(args)
        .arg("--config")
        .arg(&bench.config)
        .current_dir(bench.directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let text = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("what is shown is UTF-8")
    };
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    std::thread::scope(|scope| {
        let out = scope.spawn(move || text(&mut out));
        let err = scope.spawn(move || text(&mut err));
        let mut peak_kib = 0;
        let code = loop {
            // gone from the moment of its end on
            let said = fs::read_to_string(&status).unwrap_or_default();
            let peak = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            peak_kib = peak.unwrap_or(peak_kib);
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran { code, out: out.join().unwrap(), err: err.join().unwrap(), peak_kib }
    })
}

fn bench() -> Bench {
    Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create())
}

/// `alt replay --json` of a file that holds these bytes.
fn replayed(bench: &Bench, name: &str, bytes: &[u8]) -> Ran {
    fs::write(bench.path(name), bytes).unwrap();
    watched(bench, &["replay", "--json", name])
}

/// A hit of [`KEY`](crate::support::lines::KEY) with these bytes as its query, or its body, as nginx writes them.
fn hit_saying(query: &[u8], body: &[u8]) -> Vec<u8> {
    let line = alt1();
    let mut fields: Vec<&[u8]> =
        line.trim_end_matches('\n').as_bytes().split(|&byte| byte == b'\t').collect();
    let query = [b"a=shop&", targets::escaped(query).as_slice()].concat();
    let body = targets::escaped(body);
    fields[8] = &query;
    if !body.is_empty() {
        (fields[4], fields[7], fields[18]) = (b"POST", b"/api/v1/track", &body);
    }
    [fields.join(&b'\t'), b"\n".to_vec()].concat()
}

#[test]
fn postgresql_takes_every_row() {
    let bench = bench();
    let (queries, bodies) = (corpus("query"), corpus("json"));
    let mut log = Vec::new();
    let count = if full() { 100_000 } else { 4000 };
    for seed in 0..count {
        log.extend(hit_saying(drawn(&queries, seed).get(1..).unwrap_or_default(), b""));
        log.extend(hit_saying(b"", &drawn(&bodies, seed)));
    }
    let ran = replayed(&bench, "drawn.log", &log);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (_, rows, rejects) = ran.counts();
    assert!(rows > count && rejects > 0, "{ran:?}");
    assert_eq!(bench.database.psql("SELECT count(*) FROM rejected_lines WHERE reason = 'refused'"), "0");
    assert_eq!(bench.rows() as u64, rows);
}

#[test]
fn lines_of_256_kib_and_a_byte_more_or_less() {
    const MOST: usize = 256 * 1024;
    // As long as that by a value that is kept as far as values are, by bytes that are decoded to fewer, and by garbage.
    let kept = |length: usize| {
        let line = alt1();
        let (head, tail) = line.split_once("&sw=").unwrap();
        let filled = length - (line.len() - 1) - "&p.x=".len();
        format!("{head}&p.x={}&sw={tail}", "x".repeat(filled))
    };
    let decoded = |length: usize| {
        let line = kept(length);
        let from = line.find("&p.x=").unwrap() + 5;
        let to = line.find("&sw=").unwrap();
        let escapes = (to - from) / 3;
        format!("{}{}{}", &line[..from], "%01".repeat(escapes), &line[from + 3 * escapes..])
    };
    let garbage = |length: usize| format!("{}\n", "y".repeat(length));
    let mut log = String::new();
    for length in [MOST - 1, MOST, MOST + 1] {
        for line in [kept(length), decoded(length), garbage(length)] {
            assert_eq!(line.len(), length + 1);
            log += &line;
        }
        log += &alt1();
    }
    // Once followed while it is written, once packed and by ids.
    let mut bench = Bench::new();
    for piece in log.as_bytes().chunks(100_000) {
        bench.append_text("beacon.log", std::str::from_utf8(piece).unwrap(), 0);
    }
    let accounted = || bench.database.psql("SELECT lines, rows, rejects, loaded_bytes FROM checkpoints");
    let expected = format!("12|7|5|{}", log.len());
    wait_for(30, || accounted() == expected, || bench.state());
    bench.stop();
    let rejects = "SELECT reason, sum(lines), sum(bytes) FROM rejected_lines GROUP BY 1 ORDER BY 1";
    let expected = [("shape", 2, 2 * MOST + 1), ("too_long", 3, 3 * (MOST + 2))];
    let expected = expected.map(|(reason, lines, bytes)| format!("{reason}|{lines}|{bytes}")).join("\n");
    assert_eq!(bench.database.psql(rejects), expected);
    let lengths = "SELECT count(*), min(length(x)), max(length(x)) FROM access_logs, \
                   jsonb_extract_path_text(params, 'custom', 'x') x WHERE x IS NOT NULL";
    assert_eq!(bench.database.psql(lengths), "4|16384|16384");
    fs::write(bench.path("copy.zst"), zstd::encode_all(log.as_bytes(), 1).unwrap()).unwrap();
    let ran = watched(&bench, &["replay", "--json", "--again", "copy.zst"]);
    assert_eq!((ran.code, ran.count("already_loaded"), ran.count("rows")), (Some(0), 7, 0), "{ran:?}");
}

/// The header of a member of an archive.
fn tar_header(kind: u8, name: &[u8], size: usize) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A member: header, bytes, padding.
fn tar_member(kind: u8, name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut whole = [&tar_header(kind, name, bytes.len()), bytes].concat();
    whole.resize(whole.len().next_multiple_of(512), 0);
    whole
}

/// Memory that a replay may take, KiB, whatever it reads.
const REPLAY_KIB_MAX: u64 = 96 << 10;

#[test]
fn few_bytes_that_unpack_to_very_many() {
    let bench = bench();
    let mebibytes: usize = if full() { 4096 } else { 256 };
    let chunk = vec![b'z'; 8 << 20];
    for (name, pack, level) in [("gz", gzip as Pack, 9), ("bz2", bzip2, 9), ("zst", zstandard, 19)] {
        // One endless line among hits.
        let ends = [many(1), format!("\n{}", many(3))].map(|text| pack(text.as_bytes(), level));
        let bomb =
            [&ends[0], &pack(&chunk, level).repeat(mebibytes / 8), &ends[1]].map(Vec::as_slice).concat();
        let packed = bomb.len();
        let ran = replayed(&bench, &format!("bomb.{name}"), &bomb);
        println!("{mebibytes} MiB of {packed} bytes of {name}: {} KiB", ran.peak_kib);
        assert_eq!((ran.code, ran.counts()), (Some(0), (5, 4, 1)), "{ran:?}");
        assert!(ran.peak_kib < REPLAY_KIB_MAX, "{} KiB", ran.peak_kib);
    }
    // Nothing but ends of lines: each is a reject, and all of them are one span. Such a log has another format.
    let ends = gzip(&[b'\n'; 1 << 20], 9).repeat(if full() { 256 } else { 8 });
    let lines = if full() { 256 << 20 } else { 8 << 20 };
    let ran = replayed(&bench, "ends.gz", &ends);
    println!("{lines} empty lines: {} KiB", ran.peak_kib);
    assert_eq!((ran.code, ran.counts()), (Some(1), (lines, 0, lines)), "{ran:?}");
    assert!(ran.peak_kib < REPLAY_KIB_MAX, "{} KiB", ran.peak_kib);
    // A log in an archive is first put on disk, which has to have room for it.
    let (head, tail) = (many(1), format!("\n{}", many(3)));
    let size = head.len() + (mebibytes << 20) + tail.len();
    let mut begin = tar_header(b'0', b"a.log", size);
    begin.extend_from_slice(head.as_bytes());
    let end = [tail.into_bytes(), vec![0; size.next_multiple_of(512) - size + 1024]].concat();
    let bomb = [gzip(&begin, 9), gzip(&chunk, 9).repeat(mebibytes / 8), gzip(&end, 9)].concat();
    let ran = replayed(&bench, "bomb.tar.gz", &bomb);
    println!("{mebibytes} MiB of {} bytes of tar.gz: {} KiB", bomb.len(), ran.peak_kib);
    assert_eq!((ran.code, ran.counts()), (Some(0), (5, 4, 1)), "{ran:?}");
    assert!(ran.peak_kib < REPLAY_KIB_MAX, "{} KiB", ran.peak_kib);
}

#[test]
fn a_window_larger_than_any_reader_allows_is_refused() {
    let bench = bench();
    let packed = |window_log: u32, mebibytes: usize| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        let chunk = vec![b'z'; 1 << 20];
        encoder.write_all(many(3).as_bytes()).unwrap();
        (0..mebibytes).for_each(|_| encoder.write_all(&chunk).unwrap());
        encoder.finish().unwrap()
    };
    let ran = replayed(&bench, "large.zst", &packed(27, 300));
    println!("a window of 128 MiB: {} KiB", ran.peak_kib);
    assert_eq!((ran.code, ran.counts()), (Some(0), (4, 3, 1)), "{ran:?}");
    assert!(ran.peak_kib < REPLAY_KIB_MAX + (128 << 10), "{} KiB", ran.peak_kib);
    let ran = replayed(&bench, "larger.zst", &packed(28, 0));
    assert_eq!((ran.code, ran.count("rows")), (Some(1), 0), "{ran:?}");
    assert!(ran.out.contains("larger.zst") && ran.peak_kib < REPLAY_KIB_MAX, "{ran:?}");
}

/// Looks whether a terminal may be shown this: nothing in it is a control character, but the ends of lines and tabs.
fn assert_harmless(text: &str) {
    let harmful =
        |c: char| c.is_control() && c != '\n' && c != '\t' || ('\u{202a}'..='\u{202e}').contains(&c);
    if let Some(at) = text.find(harmful) {
        let from = text.floor_char_boundary(at.saturating_sub(100));
        panic!("a control character in: {:?}", &text[from..text.ceil_char_boundary(at + 100)]);
    }
}

/// What makes a terminal, a database or a browser do things, where it is not taken for the text that it is.
const HOSTILE: &str = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{7f}\u{85}\r\x08\u{202e}<script>alert(1)</script><img src=x \
                       onerror=alert(1)>'; DROP TABLE access_logs; --\"`$(reboot)\\";

/// The same without what cannot stand in a field, or a name of a file.
fn hostile_name() -> String {
    HOSTILE.replace(['/', '\\'], "_")
}

/// Lines with hostile text in every field: as it is, escaped as nginx does, and percent-encoded.
fn hostile_lines() -> Vec<Vec<u8>> {
    let as_it_is = HOSTILE.as_bytes().to_vec();
    let escaped = targets::escaped(HOSTILE.as_bytes());
    let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let invalid = [b"\xff\xc3\x9b\xc2", as_it_is.as_slice()].concat();
    let mut lines = Vec::new();
    for text in [&as_it_is, &escaped, &encoded.clone().into_bytes(), &invalid] {
        for field in 0..19 {
            let line = alt1();
            let line = line.trim_end_matches('\n').as_bytes();
            let mut fields: Vec<&[u8]> = line.split(|&byte| byte == b'\t').collect();
            fields[field] = text;
            lines.push(fields.join(&b'\t'));
        }
    }
    let names = "e pv r t s i c m d sd x y el tx et ei q n sw sh tz ts wd v tr p.a u utm_source a";
    for name in names.split(' ') {
        lines.push(hit_saying(format!("{name}={encoded}&{encoded}={name}").as_bytes(), b""));
        let body = serde_json::json!({ name: HOSTILE, HOSTILE: name, "application_id": "shop" });
        lines.push(hit_saying(b"", body.to_string().as_bytes()));
    }
    let body = serde_json::json!({ "custom_params": { HOSTILE: { HOSTILE: [HOSTILE, 1] } } });
    lines.push(hit_saying(b"", body.to_string().as_bytes()));
    for line in &mut lines {
        while line.last() == Some(&b'\n') {
            line.pop();
        }
    }
    lines
}

#[test]
fn nothing_in_a_log_reaches_a_terminal_as_it_is() {
    let bench = bench();
    let lines = hostile_lines();
    let log = [lines.join(&b'\n'), b"\n".to_vec()].concat();
    let name = format!("{}.log", hostile_name());
    fs::write(bench.path(&name), &log).unwrap();
    fs::write(bench.path("other.log"), many(2)).unwrap();
    let combined =
        format!("192.0.2.1 - {HOSTILE} [10/Oct/2023:13:55:36 -0700] \"GET /{HOSTILE} HTTP/1.1\" 200 5\n");
    fs::write(bench.path("combined.log"), combined.repeat(2)).unwrap();
    let harmless = |args: &[&str]| {
        let ran = watched(&bench, args);
        assert_harmless(&ran.out);
        assert_harmless(&ran.err);
        ran
    };
    let parsed = harmless(&["parse", &name]);
    assert_eq!(parsed.code, Some(0), "{parsed:?}");
    let pieces = parsed.out.lines().count();
    assert!(pieces >= lines.len() && parsed.out.contains("onerror=alert(1)"), "{pieces}");
    harmless(&["parse", &name, "other.log"]);
    harmless(&["parse", "--format", "common", "combined.log"]);
    harmless(&["parse", "--format", "common", "--pixel", HOSTILE, "combined.log"]);
    harmless(&["parse", "--format", HOSTILE, "combined.log"]);
    harmless(&["parse", &format!("absent {name}")]);
    for line in lines.iter().filter_map(|line| std::str::from_utf8(line).ok()) {
        harmless(&["explain", "--", line]);
        harmless(&["explain", "--json", "--", line]);
    }
    harmless(&["explain", "--format", "common", "--", combined.trim_end()]);
    harmless(&["explain", "--format", HOSTILE, "--", "x"]);

    let ran = harmless(&["replay", &name]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    harmless(&["replay", "--json", &name, "other.log"]);
    harmless(&["replay", &format!("absent {name}")]);
    harmless(&["replay", "--format", "common", "--app", HOSTILE, "combined.log"]);
    assert!(bench.rows() > 100, "{}", bench.state());
    assert_eq!(
        bench.database.psql("SELECT count(*) FROM access_logs WHERE title LIKE '%DROP TABLE access_logs%'"),
        "2"
    );
    let quoted = HOSTILE.replace('\'', "''");
    bench.database.psql(&format!(
        "INSERT INTO applications (app_key, name, allowed_domains) VALUES ('hostile', '{quoted}', ARRAY['{quoted}'])"
    ));
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["status", &name],
        &["status", "other.log"],
        &["rejects", "list"],
        &["rejects", "list", "--json"],
        &["rejects", "list", "--file", &name],
        &["rejects", "list", "--reason", HOSTILE],
        &["rejects", "retry"],
        &["rejects", "retry", "--reason", "unknown_app"],
        &["app", "list"],
        &["app", "list", "--json"],
        &["app", "show", "hostile"],
        &["app", "show", HOSTILE],
        &["app", "add", HOSTILE],
        &["app", "add", "x", "--domain", HOSTILE],
        &["app", "add", "x", "--time-zone", HOSTILE],
        &["app", "disable", "hostile"],
        &["app", "enable", "hostile"],
        &["app", "rename", "hostile", HOSTILE],
        &["check"],
        &["check", "--json"],
        &["unload", "--dry-run", "--file", &name],
        &["beacon", "build", "--app", HOSTILE],
    ] {
        let ran = harmless(args);
        assert!(!ran.err.contains("panicked"), "{args:?}: {ran:?}");
    }
    fs::write(&bench.config, format!("[postgres]\nurl = {}\n[{0:?}]\nx = {0:?}\n", toml_text(HOSTILE)))
        .unwrap();
    assert_eq!(harmless(&["status"]).code, Some(1));
}

/// A string as TOML has it.
fn toml_text(text: &str) -> String {
    text.chars().fold("\"".to_owned(), |all, c| match c {
        '"' | '\\' => all + &format!("\\{c}"),
        c if c.is_control() => all + &format!("\\u{:04x}", u32::from(c)),
        c => all + &c.to_string(),
    }) + "\""
}

#[test]
fn neither_does_it_by_watching() {
    let bench = bench();
    for name in ["a.log", "b.log"] {
        fs::write(bench.path(name), "").unwrap();
    }
    let mut child = alt()
        .args(["tail", "a.log", "b.log", "--config"])
        .arg(&bench.config)
        .current_dir(bench.directory.path())
        .stdout(fs::File::create(bench.path("out")).unwrap())
        .stderr(fs::File::create(bench.path("err")).unwrap())
        .spawn()
        .unwrap();
    let seen = || fs::read_to_string(bench.path("out")).unwrap();
    let append = |text: &[u8]| {
        let mut file = fs::OpenOptions::new().append(true).open(bench.path("a.log")).unwrap();
        file.write_all(text).unwrap();
    };
    // the watch begins at some moment after the start
    let begun = || {
        append(alt1().as_bytes());
        !seen().is_empty()
    };
    wait_for(10, begun, seen);
    let lines = hostile_lines();
    for line in &lines {
        append(&[line, b"\n".as_slice()].concat());
    }
    append(hit_saying(b"t=the+last", b"").as_slice());
    // a line that is no UTF-8 begins the watch anew, and what is written meanwhile may be left out
    let done = || {
        append(hit_saying(b"t=the+last", b"").as_slice());
        std::thread::sleep(Duration::from_millis(50));
        seen().contains("the last")
    };
    wait_for(30, done, seen);
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = seen();
    assert!(seen.contains("DROP TABLE") && seen.contains("\\x1b"), "{seen}");
    assert_harmless(&seen);
    assert_harmless(&fs::read_to_string(bench.path("err")).unwrap());
}

#[test]
fn nor_by_the_daemon() {
    let name = hostile_name();
    let mut bench = Bench::not_started("[[source]]\npaths = [\"DIR/*.log\"]", Database::create());
    let path = bench.path(&format!("{name}.log"));
    let lines = hostile_lines();
    fs::write(&path, [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    bench.start();
    let loaded = || bench.database.psql("SELECT loaded_bytes > 0 FROM checkpoints") == "t";
    wait_for(30, loaded, || bench.state());
    let daemon = bench.daemon.as_ref().unwrap();
    for page in ["/metrics", "/readyz", "/healthz"] {
        assert_harmless(&daemon.ask(page).1);
    }
    fs::rename(&path, path.with_extension("log.1")).unwrap();
    fs::write(&path, many(1)).unwrap();
    let sealed = || bench.database.psql("SELECT bool_or(sealed) FROM checkpoints") == "t";
    wait_for(30, sealed, || bench.state());
    let log = daemon.log();
    assert!(log.contains("DROP TABLE"), "the name of the file: {log}");
    assert!(!log.contains("panicked"), "{log}");
    assert_harmless(&log);
    bench.stop();
}

/// Replays as many lines as `line` makes; how it ended.
fn flood(bench: &Bench, name: &str, lines: u64, line: impl Fn(u64) -> String) -> Ran {
    let mut file = BufWriter::new(fs::File::create(bench.path(name)).unwrap());
    for n in 0..lines {
        file.write_all(line(n).as_bytes()).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    let ran = watched(bench, &["replay", "--json", name]);
    println!("{lines} lines of {name}: {} KiB", ran.peak_kib);
    assert_eq!((ran.code, ran.count("lines")), (Some(0), lines), "{ran:?}");
    fs::remove_file(bench.path(name)).unwrap();
    ran
}

#[test]
fn floods_of_what_is_always_new() {
    let bench = bench();
    let lines = if full() { 1_000_000 } else { 40_000 };
    let usual = flood(&bench, "usual", lines, |_| alt1());
    // More than what they are remembered by: 4096 in the cache, 1,000 an hour that are stored of one network.
    let agents = flood(&bench, "agents", lines, |n| {
        alt1().replace("Firefox/140.0", &format!("Thing/{n}.{} {}", n * 7919 % 1_000_003, "x".repeat(300)))
    });
    let parameters = flood(&bench, "parameters", lines, |n| {
        let parameters: String = (0..10).map(|k| format!("&p.name-{n}-{k}={n}")).collect();
        alt1().replace("&sw=1920", &parameters)
    });
    let environments =
        flood(&bench, "environments", lines, |n| alt1().replace("&sw=1920", &format!("&sw={}", 10_000 + n)));
    let applications =
        flood(&bench, "applications", lines, |n| alt1().replace("a=shop", &format!("a=app-{n}")));
    let rows_of =
        [(&usual, lines), (&agents, lines), (&parameters, lines), (&environments, lines), (&applications, 0)];
    for (ran, rows) in rows_of {
        assert_eq!(ran.count("rows"), rows, "{ran:?}");
        assert!(ran.peak_kib < REPLAY_KIB_MAX, "{} KiB", ran.peak_kib);
    }
    let stored: u64 = bench.database.psql("SELECT count(*) FROM user_agents").parse().unwrap();
    println!("{stored} user agents are stored");
    assert_eq!(stored, 1001);
    let without = bench.database.psql("SELECT count(*) FROM access_logs WHERE user_agent_id IS NULL");
    assert_eq!(without.parse::<u64>().unwrap(), lines - 1000);
    // Those that are not stored stay with their rows.
    let widths = "SELECT count(DISTINCT screen_width), count(*) FILTER (WHERE params ? 'screen_width') \
                  FROM access_log_details WHERE screen_width >= 10000";
    assert_eq!(bench.database.psql(widths), format!("{lines}|{}", lines - 1000));
    let own = "SELECT count(*) FROM access_logs \
               WHERE (SELECT count(*) FROM jsonb_object_keys(params -> 'custom') WHERE params ? 'custom') = 10";
    assert_eq!(bench.database.psql(own), lines.to_string());
    let unknown =
        "SELECT count(DISTINCT detail), sum(lines) FROM rejected_lines WHERE reason = 'unknown_app'";
    assert_eq!(bench.database.psql(unknown), format!("{lines}|{lines}"));
}

#[test]
fn names_in_an_archive_that_no_index_takes() {
    let bench = bench();
    // As long as a name may be, and without anything that could be compressed.
    let mut dice = Dice(1);
    let name: String = (0..4090).map(|_| char::from(b' ' + u8::try_from(dice.below(95)).unwrap())).collect();
    let mut archive = tar_member(b'L', b"././@LongLink", name.as_bytes());
    archive.extend(tar_member(b'0', b"short", many(3).as_bytes()));
    archive.extend(tar_member(b'0', b"usual", many(2).as_bytes()));
    archive.extend([0; 1024]);
    let ran = replayed(&bench, "x.tar", &archive);
    assert_eq!((ran.code, ran.count("rows")), (Some(0), 5), "{ran:?}");
}
