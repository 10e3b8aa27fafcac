//! No line takes more than twenty times the instructions, for each of its bytes, that an ordinary line takes for each of its.
//!
//! Lines are put together by the grammar of `fuzz/src/slow.rs`: a fragment that some parser or mask looks for, again and
//! again, at every place of a line that has room for text; and what fuzzing found (`fuzz/corpus/slow`). Instructions are
//! counted by callgrind, so that neither the machine nor what else runs on it counts.
//!
//! A place is looked at with lines of 2 KiB, which show what takes long, and those through which most of masking can be
//! reached with lines of 32 KiB besides, which show what takes the longer the more there is. `ALT_TEST_FULL=1` takes every
//! place in both lengths, lines of 256 KiB, and many more mixtures; that takes some minutes.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use traffic::Traffic;

use crate::hostile::targets::slow::{Loader, PLACES, Place, hostile};
use crate::hostile::{Dice, corpus, full};

/// Instructions for a byte of any line, as many times those for a byte of ordinary lines.
const TIMES_MAX: f64 = 20.0;

/// How many times as many a byte may take in a line of 32 KiB as in one of 2 KiB, where it takes more than in ordinary lines.
const GROWTH_MAX: f64 = 2.0;

const SMALL: usize = 2 * 1024;
const LARGE: usize = 32 * 1024;
const LARGEST: usize = 256 * 1024;

/// Places through which most of what looks at texts is reached.
const TELLING: [&str; 6] = ["query", "a query in u", "t", "p.x", "a custom text", "a packed text"];

/// What is repeated; `#` is a number that differs each time.
const FRAGMENTS: &[&[u8]] = &[
    b"x",
    b"eyJ",
    b"eyJ.",
    b"eyJa.eyJ ",
    b"&",
    b"&a=",
    b"&#=1",
    b"&token=",
    b"sid&",
    b";",
    b";sid=",
    b"=",
    b"%",
    b"%25",
    b"%2525",
    b"%40",
    b"%3D",
    b"next=%2Flogin%3Ftoken%3Dx&",
    b"utm_source=a&",
    b"%252525",
    b"%3Bsid%3D",
    b"/reset/",
    b"/reset/a1b2c3d4",
    b"state=",
    b"state%3D",
    b"ghp_",
    b"ghp_A ",
    b"glpat-",
    b"pat.",
    b"sk-",
    b"xoxb-1234567890-",
    b"A1b2C3d4E5f6 ",
    b"SGVsbG8gV29y ",
    b"SGVsbG8g",
    b"68656c6c6f20",
    b"QEBA",
    b"4040",
    b"eyJhbGciOiJIUzI1NiJ9.",
    b"eyJhbGciOiJI%2E",
    b"v4.local.",
    b"tel:",
    b"+49 ",
    b"+1",
    b"(212) 555-",
    b"212-555-0123-",
    b"00 49 ",
    b"DE89 ",
    b"DE89",
    b"12345678:AA",
    b"@[1.",
    b"\"a\"@",
    b"\" @",
    b"\"token\":",
    b"\"state\":\"",
    b"@",
    b"a@",
    b"a@b.",
    b"a@b.c1.",
    b"a@aa.bb.",
    b"a@bb.png",
    b"1",
    b"4111",
    b"4111 ",
    b"4111-1111-",
    b"1   ",
    b"1%20",
    b"[",
    b"{\"a\":",
    b"{\"token\":",
    b"\"a\":{},",
    b"\"#\":1,",
    b"\"token\":1,",
    b"\",\"",
    b"1e9999,",
    b"{},",
    b"\"",
    b"\" \"",
    b"\\",
    b"\\\"",
    b"\\u0000",
    b"\\ud800",
    b"\x01",
    b"%01",
    b"\0",
    b"\xff",
    b"\xe2\x82",
    b"\xc3\xa9",
    b"\xf0\x9f\x98\x80",
    b",",
    b":",
    b" ",
    b"1 ",
    b"\t",
    b"alt1\t",
    b"alt1\tx",
    b"alt1\t1700000000.123\t",
    b"://",
    b"1, ",
    b"1 : ",
    b" [",
    b"10.0.0.1, ",
    b"#/",
    b"?a=",
    b".",
    b"/",
    b"-",
    b"aA",
    b"+",
    b"bot ",
    // the shortest member of gzip
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0",
];

/// A line to weigh.
#[derive(Debug, Clone)]
struct Case {
    place: &'static Place,
    fragment: Vec<u8>,
    bytes: usize,
}

/// All of them, the same in every process.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |place: &'static Place, fragment: &[u8], bytes: &[usize]| {
        let of_length = |&bytes| Case { place, fragment: fragment.to_vec(), bytes };
        cases.extend(bytes.iter().map(of_length));
    };
    for place in PLACES {
        for fragment in FRAGMENTS {
            add(
                place,
                fragment,
                match (TELLING.contains(&place.name), full()) {
                    (true, true) => &[SMALL, LARGE, LARGEST],
                    (true, false) | (false, true) => &[SMALL, LARGE],
                    (false, false) => &[SMALL],
                },
            );
        }
    }
    for (_, bytes) in corpus("slow") {
        if let Some((which, fragment)) = bytes.split_first() {
            add(&PLACES[usize::from(*which) % PLACES.len()], fragment, &[SMALL, LARGE]);
        }
    }
    let mut dice = Dice(1);
    for _ in 0..if full() { 2000 } else { 100 } {
        let mixture = [(); 3].map(|()| FRAGMENTS[dice.below(FRAGMENTS.len())]).concat();
        add(&PLACES[dice.below(PLACES.len())], &mixture, &[SMALL, LARGE]);
    }
    cases
}

/// How many processes share the cases.
const PROCESSES: usize = 2;

/// Tells the process under callgrind which part of the cases is its own.
const PART: &str = "ALT_TEST_WEIGH_PART";

fn part(cases: Vec<Case>, part: usize) -> impl Iterator<Item = Case> {
    // Both lengths of a fragment are in one part, and parts are alike.
    let of_part = move |case: &Case| (case.fragment.len() + case.place.name.len()) % PROCESSES == part;
    cases.into_iter().filter(of_part)
}

/// Made traffic, a line each.
fn ordinary() -> Vec<Vec<u8>> {
    let (mut traffic, mut log) = (Traffic::new(1, 1_767_225_600_000, 5000.0), Vec::new());
    (0..2000).for_each(|_| traffic.alt1(&mut log));
    log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

#[test]
#[ignore = "is run by the next one, under callgrind"]
fn weighs() {
    let part: usize = std::env::var(PART).expect("the other test says which part").parse().unwrap();
    let lines = ordinary();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let mut loader = Loader::new();
    // As a daemon is that has met what is usual.
    loader.load_ours(&lines[..1000]);
    loader.load_ours(&lines[1000..]);
    for case in self::part(cases(), part) {
        loader.load(case.place, &hostile(case.place, &case.fragment, case.bytes).line);
    }
}

/// The test before this one under callgrind, which writes a file each time that a line was loaded.
fn weighing(part: usize, folder: &Path) -> Child {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-after=*slow::weighed*", "--dump-line=no"])
        .arg(format!("--callgrind-out-file={}", folder.join("out").display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "worst_lines::weighs", "--ignored", "--test-threads=1"])
        .env(PART, part.to_string())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("said")).unwrap())
        .spawn()
        .unwrap_or_else(|e| panic!("valgrind does not start, {e}: install it (scripts/test does)"))
}

/// The instructions of the one call of `slow::weighed` that a file of callgrind's tells of.
fn instructions(file: &str) -> u64 {
    // A name stands once, `fn=(12) name` or `cfn=(12) name`; after that, there is only its number.
    let named = file.lines().find(|line| line.contains("fn=(") && line.ends_with("slow::weighed"));
    let number = named.and_then(|line| Some(&line[line.find('(')?..=line.find(')')?]));
    let number = number.expect("a file is written after a call");
    let mut lines = file.lines();
    // `cfn=(12)`, how often, and where from and how many instructions.
    let is_call = |line: &&str| line.strip_prefix("cfn=").is_some_and(|call| call.starts_with(number));
    lines.find(is_call).expect("a file is written after a call");
    lines.next();
    let cost = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    cost.unwrap_or_else(|| panic!("callgrind says how many: {file}"))
}

/// Waits for the weights, in order, and takes the files away as they come: all together they have hundreds of megabytes.
fn weights(mut child: Child, folder: &Path, count: usize) -> Vec<u64> {
    let started = Instant::now();
    let mut weights = Vec::new();
    while weights.len() < count {
        let ended = child.try_wait().unwrap().is_some();
        // The next begins when this one is whole.
        while weights.len() < count
            && (ended || fs::metadata(folder.join(format!("out.{}", weights.len() + 2))).is_ok())
            && let Ok(file) = fs::read_to_string(folder.join(format!("out.{}", weights.len() + 1)))
        {
            fs::remove_file(folder.join(format!("out.{}", weights.len() + 1))).unwrap();
            weights.push(instructions(&file));
        }
        let said = || fs::read_to_string(folder.join("said")).unwrap();
        assert!(!ended || weights.len() == count, "{} of {count} lines: {}", weights.len(), said());
        assert!(started.elapsed() < Duration::from_secs(3600), "{} of {count} lines", weights.len());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(child.wait().unwrap().success());
    weights
}

#[test]
fn no_byte_takes_twenty_times_as_long_as_an_ordinary_one() {
    let ordinary_bytes: usize = ordinary()[1000..].iter().map(Vec::len).sum();
    let parts: Vec<Vec<Case>> = (0..PROCESSES).map(|at| part(cases(), at).collect()).collect();
    let weighed: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let weigh = |(at, cases): (usize, &Vec<Case>)| {
            let count = cases.len() + 2;
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                weights(weighing(at, folder.path()), folder.path(), count)
            })
        };
        let threads: Vec<_> = parts.iter().enumerate().map(weigh).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (mut wrong, mut worst, mut count) = (Vec::new(), (0.0, String::new()), 0);
    for (cases, weights) in parts.iter().zip(&weighed) {
        #[allow(clippy::cast_precision_loss)]
        let per_byte = |weight: u64, bytes: usize| weight as f64 / bytes as f64;
        let usual = per_byte(weights[1], ordinary_bytes);
        println!("{} instructions for an ordinary line, {usual:.1} for a byte", weights[1] / 1000);
        let mut small = HashMap::new();
        for (case, &weight) in cases.iter().zip(&weights[2..]) {
            let bytes = hostile(case.place, &case.fragment, case.bytes).bytes;
            let times = per_byte(weight, bytes) / usual;
            let name = (case.place.name, case.fragment.as_slice());
            let shown = format!("{} of `{}`, {bytes} bytes", case.place.name, case.fragment.escape_ascii());
            if times > TIMES_MAX {
                wrong.push(format!("{shown}: {times:.1} times an ordinary byte"));
            }
            let before = *small.entry(name).or_insert(times);
            if times > (before * GROWTH_MAX).max(1.0) {
                wrong.push(format!(
                    "{shown}: {times:.1} times an ordinary byte, and {before:.1} in a short line"
                ));
            }
            if times > worst.0 {
                worst = (times, shown);
            }
            count += 1;
        }
    }
    println!("{count} lines; the worst: {}, {:.1} times an ordinary byte", worst.1, worst.0);
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
