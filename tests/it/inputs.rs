//! What a replay is given to read: lists of paths, names given twice, orders, and archives, whole and broken.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::bench::Bench;
use crate::support::daemon::{alt, wait_for};
use crate::support::lines::{alt1, many};
use crate::support::pack::{Pack, bzip2, gzip, zstandard};
use crate::support::postgres::{Cluster, Database};

const NO_SOURCE: &str = "[[source]]\npaths = [\"DIR/beacon.log\"]";

fn bench() -> Bench {
    Bench::not_started(NO_SOURCE, Database::create())
}

/// How a replay ended: exit code, account, and what it said.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    account: Value,
    said: String,
}

impl Ran {
    /// Files, lines, rows and already loaded.
    fn counts(&self) -> (u64, u64, u64, u64) {
        let n = |name: &str| self.account[name].as_u64().unwrap();
        (n("files"), n("lines"), n("rows"), n("already_loaded"))
    }

    /// Why a file failed, by its name in the bench's directory.
    fn failed(&self, bench: &Bench, name: &str) -> &str {
        let name = bench.directory.path().canonicalize().unwrap().join(name).display().to_string();
        self.account["files_failed"][&name].as_str().unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    fn failures(&self) -> usize {
        self.account["files_failed"].as_object().unwrap().len()
    }
}

/// `alt replay --json` in the bench's directory, as a shell runs it that did `before`.
fn replay_after(bench: &Bench, before: &str, args: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{before}; exec \"$@\""), "sh"])
        .arg(alt().get_program())
        .args(["replay", "--json", "--config"])
        .arg(&bench.config)
        .args(args)
        .env_remove("ALT_CONFIG")
        .current_dir(bench.directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // who reads nothing of it closes the pipe
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    Ran {
        code: output.status.code(),
        account: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        said: String::from_utf8(output.stderr).unwrap(),
    }
}

fn replay(bench: &Bench, args: &[&str]) -> Ran {
    replay_after(bench, ":", args, b"")
}

/// A replay that has to go well.
fn well(bench: &Bench, args: &[&str]) -> Ran {
    let ran = replay(bench, args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

/// Writes a file of bytes.
fn put(bench: &Bench, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = bench.directory.path().join(name.as_ref());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// Writes a log of so many lines and counts them.
fn log(bench: &mut Bench, name: impl AsRef<OsStr>, lines: usize) -> PathBuf {
    bench.written += lines;
    put(bench, name, many(lines))
}

fn aged(path: &Path, seconds: u64) {
    let file = fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// Runs `tar` in the bench's directory.
fn tar(bench: &Bench, args: &[&str]) {
    let status = Command::new("tar").args(args).current_dir(bench.directory.path()).status().unwrap();
    assert!(status.success(), "tar {args:?}");
}

/// The header of a member, with a right sum, after a change.
fn header(kind: u8, name: &[u8], size: u64, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    change(&mut block);
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// A member: header, bytes, padding.
fn member(kind: u8, name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut whole = header(kind, name, bytes.len() as u64, |_| ());
    whole.extend_from_slice(bytes);
    whole.resize(whole.len().next_multiple_of(512), 0);
    whole
}

const END: [u8; 1024] = [0; 1024];

/// Names under which files were loaded, in the order in which they were begun, without the directory.
fn loaded_names(bench: &Bench) -> Vec<String> {
    let directory = bench.directory.path().canonicalize().unwrap().display().to_string() + "/";
    let names = bench.database.psql("SELECT path FROM log_files ORDER BY id");
    names.lines().map(|name| name.replace(&directory, "")).collect()
}

#[test]
fn lists_of_paths_are_read_with_what_is_named_otherwise() {
    let mut bench = bench();
    for name in ["a", "b", " c ", "sub/d", "e", "#f", "-", "g*", "gh"] {
        log(&mut bench, name, 10);
    }
    log(&mut bench, OsStr::from_bytes(b"not\xffutf8"), 10);
    log(&mut bench, "new\nline", 10);
    let absolute = bench.path("e").display().to_string();
    let list = [b"a\r\n\n\r\nb\n c \nsub\n./sub/d\n#f\n-\ng*\nnot\xffutf8\n".as_slice(), absolute.as_bytes()]
        .concat();
    put(&bench, "lists/unix", list);
    let ran = well(&bench, &["--files-from", "lists/unix", "b", "g*"]);
    assert_eq!(ran.counts(), (9, 90, 90, 0), "{ran:?}");
    assert!(!loaded_names(&bench).contains(&"gh".to_owned()), "a pattern in a list, or one of a file's name");
    // As `find -print0` writes it, to standard input.
    let ran = replay_after(&bench, ":", &["--files-from", "-"], b"a\0new\nline\0gh\0");
    assert_eq!((ran.code, ran.counts()), (Some(0), (3, 20, 20, 0)), "{ran:?}");
    bench.check();
}

#[test]
fn wrong_lists_are_told_with_their_line_before_anything_is_loaded() {
    let mut bench = bench();
    log(&mut bench, "log", 5);
    nix::unistd::mkfifo(&bench.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let long = [vec![b'x'; 300], b"\nlog".to_vec()].concat();
    let cases: [(&[u8], &str); 8] = [
        (b"log\n\nlgo\nlog\n", "list, line 3: look at lgo: No such file"),
        (b"log\0lo\ng\0", "list, line 2: look at lo\ng: No such file"),
        (b"*.log\n", "list, line 1: look at *.log: No such file"),
        (b"log\npipe\n", "list, line 2: pipe is neither a file nor a directory"),
        (b"log/\n", "list, line 1: look at log/: Not a directory"),
        (b"log\n\x1b[2J\n", "list, line 2: look at \\x1b[2J: No such file"),
        (b"\r\n\n", "the list of paths list names no file"),
        (&long, "File name too long"),
    ];
    for (list, expected) in cases {
        put(&bench, "list", list);
        let ran = replay(&bench, &["log", "--files-from", "list"]);
        assert!(ran.code == Some(1) && ran.said.contains(expected), "{expected}: {ran:?}");
    }
    let cases: [(&[&str], &[u8], i32, &str); 8] = [
        (&[], b"", 2, "required"),
        (&["--order", "oldest"], b"", 2, "required"),
        (&["log", "--order", "first"], b"", 2, "first"),
        (&["--files-from", "missing"], b"", 1, "read the list of paths missing: No such file"),
        (&["--files-from", "."], b"", 1, "read the list of paths .: Is a directory"),
        (&["--files-from", "/dev/zero"], b"", 1, "/dev/zero is longer than 64 MiB"),
        (&["--files-from", "-"], b"lgo\n", 1, "standard input, line 1: look at lgo: No such file"),
        (&["-", "--files-from", "-"], b"log\n", 1, "standard input can be read once"),
    ];
    for (args, input, code, expected) in cases {
        let ran = replay_after(&bench, ":", args, input);
        assert!(ran.code == Some(code) && ran.said.contains(expected), "{expected}: {ran:?}");
    }
    assert_eq!(bench.rows(), 0);
    put(&bench, "list", "log");
    assert_eq!(well(&bench, &["--files-from", "list"]).counts(), (1, 5, 5, 0));
    bench.check();
}

#[test]
fn a_file_that_is_named_twice_is_read_once_and_nothing_is_left_out_silently() {
    let mut bench = bench();
    for name in ["logs/a.log", "logs/.hidden", "logs/sub/b.tmp", "logs/sub/c.log~"] {
        log(&mut bench, name, 10);
    }
    // Neither a link to one of them, nor to all, nor one to elsewhere is followed in a directory.
    let elsewhere = put(&bench, "elsewhere", many(1));
    for (to, name) in [("a.log", "again"), ("..", "circle"), (elsewhere.to_str().unwrap(), "out")] {
        std::os::unix::fs::symlink(to, bench.path("logs").join(name)).unwrap();
    }
    nix::unistd::mkfifo(&bench.path("logs/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let absolute = bench.path("logs/a.log").display().to_string();
    put(&bench, "list", &absolute);
    let args = [
        "logs",
        "logs/a.log",
        "logs/*.log",
        &absolute,
        "logs/again",
        "logs/../logs/sub",
        "--files-from",
        "list",
    ];
    let ran = well(&bench, &args);
    assert_eq!(ran.counts(), (4, 40, 40, 0), "{ran:?}");
    // A hard link is another file with the same lines.
    fs::hard_link(bench.path("logs/a.log"), bench.path("hard")).unwrap();
    let ran = well(&bench, &["logs/a.log", "hard"]);
    assert_eq!((ran.counts(), &ran.account["files_loaded_before"]), ((2, 0, 0, 0), &json!(2)), "{ran:?}");
    bench.check();
    let _listens = std::os::unix::net::UnixListener::bind(bench.path("socket")).unwrap();
    for name in ["logs/pipe", "socket", "/dev/null"] {
        let ran = replay(&bench, &["logs", name]);
        let told = ran.said.contains(&format!("{name} is neither a file nor a directory: pipe it in"));
        assert!(ran.code == Some(1) && told, "{ran:?}");
    }
    bench.check();
}

#[test]
fn the_oldest_come_first_or_the_newest() {
    for (order, expected) in
        [(&[][..], "bcda"), (&["--order", "oldest"], "bcda"), (&["--order", "newest"], "acdb")]
    {
        let mut bench = bench();
        let at = SystemTime::now() - Duration::from_secs(500);
        for (name, age) in [("a", 0), ("d", 100), ("c", 100), ("b", 200)] {
            let path = log(&mut bench, name, 5);
            fs::File::open(path).unwrap().set_modified(at - Duration::from_secs(age)).unwrap();
        }
        well(&bench, &[&["a", "b", "c", "d"], order].concat());
        assert_eq!(loaded_names(&bench).concat(), expected);
        bench.check();
    }
}

#[test]
fn the_logs_in_archives_are_logs_of_their_own() {
    let mut bench = bench();
    let long = format!("in/{}{}", "directory/".repeat(12), "l".repeat(120));
    let mut paths = Vec::new();
    for name in ["in/plain", "in/z.gz", "in/z.bz2", "in/z.zst", "in/\u{fc} b", long.as_str()] {
        paths.push((log(&mut bench, name, 20), name));
    }
    for (path, _) in &paths {
        let text = fs::read(path).unwrap();
        match path.extension().and_then(OsStr::to_str) {
            Some("gz") => fs::write(path, gzip(&text, 1)).unwrap(),
            Some("bz2") => fs::write(path, bzip2(&text, 1)).unwrap(),
            Some("zst") => fs::write(path, zstandard(&text, 1)).unwrap(),
            _ => {}
        }
    }
    // One that ended without a newline, and one that never had a line.
    bench.written += 1;
    put(&bench, "in/rest", alt1().trim_end_matches('\n'));
    put(&bench, "in/empty", "");
    std::os::unix::fs::symlink("plain", bench.path("in/symlink")).unwrap();
    fs::hard_link(bench.path("in/plain"), bench.path("in/hardlink")).unwrap();
    nix::unistd::mkfifo(&bench.path("in/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["in/plain", "in/rest"] {
        aged(&bench.path(name), 86_400);
    }
    for (n, (format, pack)) in
        [("gnu", None), ("oldgnu", Some(gzip as Pack)), ("posix", Some(bzip2)), ("pax", Some(zstandard))]
            .into_iter()
            .enumerate()
    {
        // What it is, its name does not say.
        let name = format!("archive-{format}.log");
        tar(&bench, &["-cf", &name, &format!("--format={format}"), "in"]);
        if let Some(pack) = pack {
            let packed = pack(&fs::read(bench.path(&name)).unwrap(), 1);
            fs::write(bench.path(&name), packed).unwrap();
        }
        let ran = well(&bench, &[&name]);
        let first = n == 0;
        let expected = if first { (8, 121, 121, 0) } else { (8, 0, 0, 0) };
        assert_eq!(ran.counts(), expected, "{ran:?}");
        assert_eq!(ran.account["files_loaded"], if first { 7 } else { 0 }, "{ran:?}");
        assert_eq!(ran.account["files_empty"], 1, "{ran:?}");
        bench.check();
    }
    // Known by their bytes wherever they are: unpacked too, and from standard input.
    let ran = well(&bench, &["in", "--jobs", "3"]);
    assert_eq!(ran.counts(), (9, 0, 0, 0), "{ran:?}");
    let archive = fs::read(bench.path("archive-posix.log")).unwrap();
    let ran = replay_after(&bench, ":", &["-"], &archive);
    assert_eq!((ran.code, ran.counts()), (Some(0), (8, 0, 0, 0)), "{ran:?}");
    let names = bench.database.psql("SELECT path FROM log_files ORDER BY path COLLATE \"C\"");
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(names.len(), 7);
    assert!(names.contains(&"-:in/z.gz") && names.contains(&format!("-:{long}").as_str()), "{names:?}");
    bench.check();
}

#[test]
fn members_are_named_by_their_archive_and_keep_their_order_and_age() {
    let mut bench = bench();
    for (name, age) in [("new", 10), ("old", 90_000)] {
        let path = log(&mut bench, name, 5);
        aged(&path, age);
    }
    tar(&bench, &["-cf", "x.tar", "./new", "old"]);
    log(&mut bench, "loose", 5);
    aged(&bench.path("loose"), 3600);
    let ran = well(&bench, &["x.tar", "loose"]);
    assert_eq!(ran.counts(), (3, 15, 15, 0), "{ran:?}");
    assert_eq!(loaded_names(&bench), ["loose", "x.tar:./new", "x.tar:old"]);
    let sql = "SELECT sealed_at IS NOT NULL, modified_at < now() - interval '1 day' FROM log_files \
               WHERE path LIKE '%x.tar:%' ORDER BY id";
    assert_eq!(bench.database.psql(sql), "t|f\nt|t");
    bench.check();
}

#[test]
fn several_archives_at_once() {
    let mut bench = bench();
    for archive in 0..6 {
        let members: Vec<u8> =
            (0..5).flat_map(|n| member(b'0', format!("log.{n}").as_bytes(), many(40).as_bytes())).collect();
        put(&bench, format!("logs/{archive}.tar"), [&members[..], &END].concat());
        bench.written += 200;
    }
    log(&mut bench, "logs/loose", 40);
    let ran = well(&bench, &["--jobs", "4", "logs"]);
    assert_eq!(ran.counts(), (31, 1240, 1240, 0), "{ran:?}");
    bench.check();
}

#[test]
fn what_cannot_be_read_in_an_archive_is_told_and_the_rest_is_loaded() {
    let mut bench = bench();
    log(&mut bench, "good", 10);
    log(&mut bench, "last", 10);
    // A hole of the kind that a log has whose writer goes on behind a truncation.
    let holes = fs::File::create(bench.path("holes")).unwrap();
    holes.set_len(1 << 20).unwrap();
    (&holes).write_all(b"x").unwrap();
    tar(&bench, &["-cf", "inner.tar", "good"]);
    put(&bench, "inner.tar.gz", gzip(&fs::read(bench.path("inner.tar")).unwrap(), 1));
    put(&bench, "packed.xz", b"\xfd7zXZ\0\0");
    let torn = many(500);
    let torn = gzip(torn.as_bytes(), 1);
    put(&bench, "torn.gz", &torn[..torn.len() / 2]);
    let all = ["good", "holes", "inner.tar", "inner.tar.gz", "packed.xz", "torn.gz", "last"];
    for format in ["gnu", "posix"] {
        let name = format!("{format}.tar");
        let args = ["-cSf", &name, &format!("--format={format}")];
        tar(&bench, &[&args[..], &all].concat());
        let ran = replay(&bench, &[&name]);
        assert_eq!((ran.code, ran.counts().0, ran.failures()), (Some(1), 7, 5), "{ran:?}");
        assert!(ran.said.contains("5 of 7 files could not be read to their end"), "{ran:?}");
        for (member, why) in [
            ("holes", "stored with holes (tar --sparse), which is not read: unpack the archive first"),
            ("inner.tar", "an archive in an archive: unpack the outer one first"),
            ("inner.tar.gz", "an archive in an archive"),
            ("packed.xz", "packed by xz, which is not read: unpack it first"),
            ("torn.gz", "; whole lines before that are loaded"),
        ] {
            let said = ran.failed(&bench, &format!("{name}:{member}"));
            assert!(said.contains(why), "{member}: {said}");
        }
        if format == "gnu" {
            let torn: usize = bench
                .database
                .psql("SELECT sum(rows) FROM checkpoints JOIN log_files ON id = file_id WHERE path ~ 'torn'")
                .parse()
                .unwrap();
            assert!(torn > 10 && torn < 500, "{torn}");
            bench.written += torn;
        }
        bench.check();
    }
    // What was read to its end is known by where it was seen last, the torn one by where it had news.
    assert_eq!(loaded_names(&bench), ["posix.tar:good", "gnu.tar:torn.gz", "posix.tar:last"]);
}

#[test]
fn an_archive_that_is_cut_gives_the_logs_before_that_and_is_told() {
    let mut bench = bench();
    let logs: Vec<String> = (0..4).map(|_| many(100)).collect();
    let members: Vec<Vec<u8>> =
        logs.iter().zip(b'a'..).map(|(text, name)| member(b'0', &[name], text.as_bytes())).collect();
    let ends: Vec<usize> = members
        .iter()
        .scan(0, |end, member| {
            *end += member.len();
            Some(*end)
        })
        .collect();
    let whole = [&members.concat()[..], &END].concat();
    let mut damaged = whole.clone();
    damaged[ends[1] + 5] ^= 1;
    let junk = [&whole[..ends[2]], &END, many(30).as_bytes()].concat();
    // In the order in which more and more of it is loaded.
    let cases: [(&[u8], usize, &str); 5] = [
        (&whole[..ends[0] + 700], 1, "the archive breaks off in b: "),
        (&whole[..ends[1] + 100], 2, "the archive breaks off in a header: members are missing"),
        (&whole[..ends[1]], 2, "the archive ends without the mark of its end"),
        (&damaged, 2, "no header of a member"),
        (&junk, 3, "what follows on the end of the archive is not read"),
    ];
    for (archive, members, why) in cases {
        put(&bench, "x.tar", archive);
        let ran = replay(&bench, &["x.tar"]);
        let new = (100 * members - bench.written) as u64;
        bench.written = 100 * members;
        assert_eq!((ran.code, ran.failures()), (Some(1), 1), "{ran:?}");
        assert_eq!(ran.counts(), (members as u64 + 1, new, new, 0), "{ran:?}");
        let said = ran.failed(&bench, "x.tar");
        let rest = format!("; the {members} files in it before that were read");
        assert!(said.starts_with("the archive ") && said.contains(why) && said.ends_with(&rest), "{said}");
        bench.check();
    }
    // All but the check sum at the end of the gzip file, and then all.
    let packed = gzip(&whole, 1);
    put(&bench, "x.tar", &packed[..packed.len() - 8]);
    let ran = replay(&bench, &["x.tar"]);
    assert_eq!((ran.code, ran.counts()), (Some(1), (5, 100, 100, 0)), "{ran:?}");
    assert!(ran.failed(&bench, "x.tar").ends_with("; the 4 files in it before that were read"), "{ran:?}");
    bench.written = 400;
    bench.check();
    put(&bench, "x.tar", &packed);
    assert_eq!(well(&bench, &["x.tar"]).counts(), (4, 0, 0, 0));
}

#[test]
fn names_in_an_archive_are_only_shown() {
    let mut bench = bench();
    let names: [&[u8]; 6] =
        [b"../../escaped", b"/escaped", b"\x1b[2J\x07\n\xe2\x80\xae.log", b"\xff\xfe", b"", b"d/"];
    let archive: Vec<u8> = names.iter().flat_map(|name| member(b'0', name, many(5).as_bytes())).collect();
    let odd = [
        member(b'x', b"x", b"12 path=a\0b\n"),
        member(b'0', b"nul", many(5).as_bytes()),
        member(b'L', b"x", &[b'n'; 100_000]),
        member(b'0', b"endless", many(5).as_bytes()),
        member(b'S', b"\x1b[31mred", b""),
    ]
    .concat();
    bench.written = 40;
    put(&bench, "x.tar", [&archive[..], &odd, &END].concat());
    let output = alt()
        .args(["replay", "--config"])
        .arg(&bench.config)
        .arg(bench.path("x.tar"))
        .current_dir(bench.directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    assert!(shown.contains("x.tar:\\x1b[31mred: stored with holes"), "{shown}");
    bench.check();
    let sql = "SELECT left(split_part(path, 'x.tar:', 2), 20), length(split_part(path, 'x.tar:', 2)) \
               FROM log_files ORDER BY id";
    let names = [
        "../../escaped|13",
        "/escaped|8",
        "\x1b[2J\x07\n\u{202e}.log|11",
        "\u{fffd}\u{fffd}|2",
        "|0",
        "d/|2",
    ];
    let odd = ["a\u{fffd}b|3", "nnnnnnnnnnnnnnnnnnnn|4096"];
    assert_eq!(bench.database.psql(sql), [&names[..], &odd].concat().join("\n"));
    assert!(fs::metadata(bench.path("../../escaped")).is_err() && fs::metadata("/escaped").is_err());
}

#[test]
fn an_archive_takes_no_memory_by_what_it_claims() {
    let mut bench = bench();
    // Two gigabytes of a name, 200 KB packed; then 100,000 files, most of them empty.
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(&header(b'L', b"x", 2 << 30, |_| ())).unwrap();
    let chunk = vec![b'n'; 1 << 20];
    for _ in 0..2 << 10 {
        packed.write_all(&chunk).unwrap();
    }
    for n in 0..100_000 {
        let text = if n % 10_000 == 0 { many(3) } else { String::new() };
        packed.write_all(&member(b'0', format!("log.{n}").as_bytes(), text.as_bytes())).unwrap();
    }
    packed.write_all(&END).unwrap();
    put(&bench, "x.tar.zst", packed.finish().unwrap());
    bench.written = 30;
    // 800 MB of address space: threads' stacks, and what is in use.
    let ran = replay_after(&bench, "ulimit -v 800000", &["x.tar.zst"], b"");
    assert_eq!((ran.code, ran.counts()), (Some(0), (100_000, 30, 30, 0)), "{ran:?}");
    assert_eq!(ran.account["files_empty"], 99_990, "{ran:?}");
    bench.check();
    for (lie, why) in [
        (
            header(b'0', b"b", 0o77_777_777_777, |_| ()),
            "the archive breaks off in b: 8589934591 bytes of it are missing",
        ),
        (header(b'0', b"b", 0, |block| block[124..136].fill(0xff)), "its size is none"),
        (header(b'x', b"b", 1 << 31, |_| ()), "an extended header larger than 1 MiB"),
        (member(b'x', b"b", b"99 size=1\n"), "an extended header that is none"),
    ] {
        put(&bench, "x.tar", [member(b'0', b"a", many(2).as_bytes()), lie].concat());
        bench.written += 2;
        let ran = replay_after(&bench, "ulimit -v 800000", &["x.tar"], b"");
        assert_eq!((ran.code, ran.counts()), (Some(1), (2, 2, 2, 0)), "{ran:?}");
        assert!(ran.failed(&bench, "x.tar").contains(why), "{why}: {ran:?}");
        bench.check();
    }
}

#[test]
fn of_very_many_that_cannot_be_read_some_are_named() {
    let mut bench = bench();
    let good = member(b'0', b"good", many(3).as_bytes());
    bench.written = 3;
    // Some of a kind that is not read, some that break off.
    let torn = &gzip(many(9).as_bytes(), 1)[..20];
    let bad = |n: u32| {
        let name = n.to_string();
        if n.is_multiple_of(2) {
            header(b'Z', name.as_bytes(), 0, |_| ())
        } else {
            member(b'0', name.as_bytes(), torn)
        }
    };
    let bad: Vec<u8> = (0..3000).flat_map(bad).collect();
    for (end, why) in [(&END[..], ""), (&[], "the archive ends without the mark of its end")] {
        put(&bench, "x.tar", [&bad[..], &good, end].concat());
        let ran = replay(&bench, &["x.tar"]);
        assert_eq!((ran.code, ran.failures(), ran.counts().0), (Some(1), 1001, 1002), "{:?}", ran.said);
        let said = ran.failed(&bench, "x.tar");
        assert!(
            said.starts_with(why) && said.ends_with("2000 more of its files could not be read"),
            "{said}"
        );
        bench.check();
    }
}

#[test]
fn a_full_disk_is_told_with_the_place_and_the_rest_is_loaded() {
    let mut bench = bench();
    log(&mut bench, "small", 5);
    put(&bench, "large", many(2000));
    log(&mut bench, "last", 5);
    tar(&bench, &["-cf", "x.tar", "small", "large", "last"]);
    let directory = bench.path("tmp");
    fs::create_dir(&directory).unwrap();
    let set = format!("export TMPDIR='{}'", directory.display());
    // As a disk that has 100 KB left, without a disk of our own.
    let full = format!("{set}; trap '' XFSZ; ulimit -f 200");
    let ran = replay_after(&bench, &full, &["x.tar"], b"");
    assert_eq!((ran.code, ran.counts()), (Some(1), (3, 10, 10, 0)), "{ran:?}");
    let said = ran.failed(&bench, "x.tar:large");
    let place = format!("spool it in {}: File too large", directory.display());
    assert!(said.starts_with(&place) && said.contains("TMPDIR names another directory"), "{said}");
    bench.check();
    let text = fs::read(bench.path("large")).unwrap();
    for before in [full, "export TMPDIR=/nowhere".to_owned()] {
        let ran = replay_after(&bench, &before, &["-"], &text);
        assert!(ran.code == Some(1) && ran.said.contains("spool standard input in /"), "{ran:?}");
        assert!(ran.said.contains("TMPDIR"), "{ran:?}");
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    let ran = replay_after(&bench, &set, &["x.tar"], b"");
    assert_eq!((ran.code, ran.counts()), (Some(0), (3, 2000, 2000, 0)), "{ran:?}");
    bench.written += 2000;
    bench.check();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn an_archive_goes_on_where_it_was_interrupted_and_leaves_nothing_behind() {
    let mut bench = Bench::not_started(NO_SOURCE, Cluster::start(&[]).database());
    let names: Vec<String> = (0..8).map(|n| format!("log.{n}")).collect();
    for name in &names {
        log(&mut bench, name, 15_000);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tar(&bench, &[&["-czf", "x.tar.gz"], &names[..]].concat());
    let directory = bench.path("tmp");
    fs::create_dir(&directory).unwrap();
    let command = || {
        let mut command = alt();
        command.arg("replay").arg("--config").arg(&bench.config).arg(bench.path("x.tar.gz"));
        command.env("TMPDIR", &directory).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    for (rows, signal) in [(1, Signal::SIGINT), (20_000, Signal::SIGKILL), (40_000, Signal::SIGTERM)] {
        let mut child = command().spawn().unwrap();
        wait_for(60, || bench.rows() >= rows, || bench.state());
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "after {signal}");
    }
    let before = bench.rows();
    assert!(before < bench.written, "nothing is left to be interrupted");
    let mut child = command().spawn().unwrap();
    wait_for(60, || bench.rows() > before, || bench.state());
    bench.database.cluster.down("immediate");
    std::thread::sleep(Duration::from_millis(300));
    bench.database.cluster.up();
    assert!(child.wait().unwrap().success());
    bench.check();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}
