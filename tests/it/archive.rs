//! Rotated logs go into the archive, proven, and local files go when they may: into a directory and into a real S3
//! server, with everything going wrong on the way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alt_collect::archive::frames::Compression;
use alt_collect::archive::name::{Name, name};
use alt_collect::archive::target::{Bytes, Listed, Put, Target};
use alt_collect::archive::{PackedLog, fetch, open, pack, spool, store};
use alt_config::Config;
use alt_line::parse::Format;
use alt_process::stop::Stop;
use sha2::{Digest, Sha256};

use crate::support::bench::Bench;
use crate::support::daemon::{Daemon, alt, patience, wait_for};
use crate::support::faketime::Clock;
use crate::support::lines::many;
use crate::support::postgres::Database;
use crate::support::s3::{ACCESS, Fault, Server};
use crate::support::wire::{Cut, Whose, Wire};

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Bytes that do not compress, in lines.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
        if out.len() % 800 == 0 {
            out.push(b'\n');
        }
    }
    out
}

fn packed(log: &[u8], compression: Compression) -> PackedLog {
    pack(log, &Format::compile("alt1").unwrap(), &[], compression, spool().unwrap(), &Arc::default()).unwrap()
}

fn name_of(object: &PackedLog, log: &[u8]) -> Name {
    let head = Sha256::digest(&log[..log.len().min(100)]);
    name(
        "web-1",
        Path::new("/x/beacon.log"),
        object.times,
        &head,
        object.packed.raw_bytes,
        Compression::Zstd(3),
    )
}

fn list(target: &dyn Target, below: &str) -> Vec<Listed> {
    let mut all = Vec::new();
    let mut each = |listed| {
        all.push(listed);
        Ok(())
    };
    target.list(below, &mut each).unwrap();
    all
}

fn read(target: &dyn Target, key: &str, which: Bytes) -> Vec<u8> {
    let mut bytes = Vec::new();
    target.read(key, which).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// What every archive does. `proves`: it says what it received.
fn contract(target: &dyn Target, proves: bool) {
    let stop: Arc<Stop> = Arc::default();
    for log in [many(3).into_bytes(), noise(1, 20 << 20)] {
        let object = packed(&log, Compression::Zstd(3));
        let name = name_of(&object, &log);
        let key = name.key();
        assert_eq!(target.find(&key).unwrap(), None);
        let put = target.put(&key, &object.packed).unwrap();
        assert_eq!(put, if proves { Put::Proven } else { Put::Unproven });
        assert_eq!(target.find(&key).unwrap().unwrap().bytes, object.packed.bytes);
        // It is not stored again, and comes back as it was.
        assert_eq!(target.put(&key, &object.packed).unwrap(), Put::Exists);
        let (mut file, bytes, sha256) = fetch(target, &key).unwrap();
        assert_eq!((bytes, sha256), (object.packed.bytes, object.packed.sha256));
        let mut whole = Vec::new();
        file.read_to_end(&mut whole).unwrap();
        assert_eq!(zstd::decode_all(&whole[..]).unwrap(), log);
        assert_eq!(read(target, &key, Bytes::From(3, 5)), whole[3..8]);
        assert_eq!(read(target, &key, Bytes::Last(7)), whole[whole.len() - 7..]);
        // Packed otherwise it is the same log, and found; another log gets another name.
        let again = packed(&log, Compression::Zstd(9));
        let stored = store(target, name.clone(), &again.packed, &stop).unwrap();
        assert_eq!((stored.key, stored.bytes, stored.sha256), (key.clone(), bytes, sha256));
        let mut other = log.clone();
        let middle = other.len() / 2;
        other[middle] ^= 1;
        let other = packed(&other, Compression::Zstd(3));
        let stored = store(target, name.clone(), &other.packed, &stop).unwrap();
        let sha256 = u64::from_be_bytes(other.packed.raw_sha256[..8].try_into().unwrap());
        assert_eq!(stored.key, Name { sha256: Some(sha256), ..name }.key());
        assert_eq!(fetch(target, &key).unwrap().2, object.packed.sha256);
    }
    let all = list(target, "");
    assert_eq!(all.len(), 4);
    assert!(all.windows(2).all(|pair| pair[0].key < pair[1].key));
    assert!(all.iter().all(|listed| Name::parse(&listed.key).is_some() && listed.bytes > 0));
    let unknown = list(target, "dt=unknown/");
    assert_eq!(unknown.len(), 2);
    target.remove(&unknown[0].key).unwrap();
    target.remove(&unknown[0].key).unwrap();
    assert_eq!(list(target, "").len(), 3);
    assert!(target.read(&unknown[0].key, Bytes::All).is_err());
}

/// The target that a configuration names. Credentials are read from the environment of this process.
fn configured(section: &str, stop: &Arc<Stop>) -> Box<dyn Target> {
    let config = Config::from_str(section, |_| None).unwrap();
    open(config.archive.as_ref().unwrap(), stop).unwrap()
}

/// Runs this test in a process of its own, that has the credentials.
fn with_credentials(test: &str) -> bool {
    if std::env::var_os("AWS_ACCESS_KEY_ID").is_some_and(|id| id == ACCESS.0) {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let mut again = Command::new(this);
    again.args([&format!("archive::{test}"), "--exact", "--nocapture"]);
    let output = credentials(&mut again).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// The credentials of the tests' server, and nobody else's.
pub(crate) fn credentials(command: &mut Command) -> &mut Command {
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS.0)
        .env("AWS_SECRET_ACCESS_KEY", ACCESS.1)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
}

#[test]
fn a_directory_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("new/archive");
    let target = configured(&format!("[archive]\nurl = \"file://{}\"", root.display()), &Arc::default());
    contract(target.as_ref(), false);
    // What an interrupted copy has left goes; what another host has left, when it is old.
    let unfinished = |host: &str| root.join("dt=2023-11-14").join(format!("host={host}")).join(".alt-x.part");
    for host in ["web-1", "web-2"] {
        fs::create_dir_all(unfinished(host).parent().unwrap()).unwrap();
        fs::write(unfinished(host), "half").unwrap();
    }
    assert_eq!(list(target.as_ref(), "").len(), 3);
    assert_eq!(target.sweep("web-1").unwrap(), 1);
    assert!(!is_there(&unfinished("web-1")) && is_there(&unfinished("web-2")));
}

#[test]
fn a_bucket_keeps_the_contract() {
    if !with_credentials("a_bucket_keeps_the_contract") {
        return;
    }
    let server = Server::start();
    let target = configured(&server.configuration("a/prefix"), &Arc::default());
    contract(target.as_ref(), true);
    assert_eq!(server.unfinished(), 0);
    assert!(server.objects().iter().all(|(key, _)| key.starts_with("a/prefix/dt=")));
    // Without a prefix, and where the store says nothing of what it received.
    let server = Server::without_checksums();
    contract(configured(&server.configuration(""), &Arc::default()).as_ref(), false);
}

#[test]
fn a_store_that_refuses_checksums_gets_none_from_then_on() {
    if !with_credentials("a_store_that_refuses_checksums_gets_none_from_then_on") {
        return;
    }
    let server = Server::refusing_checksums();
    let target = configured(&server.configuration("p"), &Arc::default());
    contract(target.as_ref(), false);
    assert_eq!(server.unfinished(), 0);
    // It is asked with a checksum once, and then no more.
    let puts = |target: &dyn Target| {
        server.requests();
        let log = many(2).into_bytes();
        let object = packed(&log, Compression::Zstd(3));
        let stored = store(target, name_of(&object, &log), &object.packed, &Arc::default()).unwrap();
        assert_eq!(stored.sha256, object.packed.sha256);
        server.requests().iter().filter(|request| request.starts_with("PUT")).count()
    };
    assert_eq!(puts(target.as_ref()), 1);
    let new = configured(&server.configuration("p"), &Arc::default());
    assert_eq!((puts(new.as_ref()), puts(new.as_ref())), (2, 1));
    // A refusal for another reason stays one.
    let server = Server::start();
    let target = configured(&server.configuration("p"), &Arc::default());
    let object = packed(b"x\n", Compression::Zstd(3));
    for code in ["BadDigest", "InvalidArgument", "InvalidRequest"] {
        server.next(&[Some(Fault::Answer(400, code))]);
        let error = target.put("dt=x", &object.packed).unwrap_err().to_string();
        assert!(error.contains(code), "{error}");
    }
    assert_eq!(target.put("dt=x", &object.packed).unwrap(), Put::Proven);
}

#[test]
fn a_log_is_archived_in_a_store_that_refuses_checksums() {
    let server = Server::refusing_checksums();
    let mut station = Station::new(&server.configuration("logs"), Some(server));
    station.rotate("beacon.log.1", 100);
    station.rotate("beacon.log.2", 100);
    station.bench.append("beacon.log", 1);
    station.start();
    station.wait(2);
    station.check();
    let log = station.bench.daemon.as_ref().unwrap().log();
    assert_eq!(log.matches("the store refuses checksums").count(), 1, "{log}");
}

#[test]
fn a_check_stores_an_object_reads_it_back_and_removes_it() {
    let mut station = Station::in_bucket("");
    let server = station.server.take().unwrap();
    let check = || ask(&station.bench.config, &["check"]).1;
    server.requests();
    let said = check();
    assert!(!said.contains("the archive"), "{said}");
    let requests = server.requests();
    let of =
        |verb: &str| requests.iter().filter(|r| r.starts_with(verb) && r.contains("/alt-check-")).count();
    assert_eq!((of("PUT"), of("GET"), of("DELETE")), (1, 1, 1), "{requests:?}");
    assert!(server.objects().is_empty());
    // Listing is allowed, storing is not; storing is, reading is not.
    for allowed in [&[None][..], &[None, None]] {
        server.next(&[allowed, &[Some(Fault::Answer(403, "AccessDenied"))]].concat());
        let said = check();
        assert!(said.contains("the archive cannot be used") && said.contains("403 AccessDenied"), "{said}");
        assert!(said.contains("/alt-check-"), "{said}");
    }
    // Removing is not allowed, as in docs/ARCHIVE.md: the object stays, is found the next time, and is no log.
    for _ in 0..2 {
        server.next(&[None, None, None, Some(Fault::Answer(403, "AccessDenied"))]);
        let said = check();
        assert!(!said.contains("the archive"), "{said}");
        assert_eq!(server.objects().len(), 1);
    }
    let url = format!("s3://{}/logs/", crate::support::s3::BUCKET);
    let (well, _, error) = ask(&station.bench.config, &["replay", &url]);
    assert!(!well && error.contains("there is nothing at"), "{error}");
    let (_, said, _) = ask(&station.bench.config, &["archive", "list"]);
    assert_eq!(said, "no objects\n");
    // A directory is tried, too.
    let station = Station::in_directory("");
    let (_, said, _) = ask(&station.bench.config, &["check"]);
    assert!(!said.contains("the archive"), "{said}");
    assert_eq!(fs::read_dir(station.bench.path("archive")).unwrap().count(), 0);
    fs::remove_dir(station.bench.path("archive")).unwrap();
    fs::write(station.bench.path("archive"), "no directory").unwrap();
    let (_, said, _) = ask(&station.bench.config, &["check"]);
    assert!(said.contains("the archive cannot be used"), "{said}");
}

#[test]
fn a_wrong_clock_is_not_told_as_missing_permissions() {
    let mut station = Station::in_bucket("");
    let server = station.server.take().unwrap();
    server.always(Some(Fault::Answer(403, "RequestTimeTooSkewed")));
    let said = ask(&station.bench.config, &["check"]).1;
    assert!(
        said.contains("this machine's clock is wrong, and") && !said.contains("credentials do"),
        "{said}"
    );
    // The answer to a HEAD has no code, but the store's time.
    server.always(None);
    station.rotate("beacon.log.1", 10);
    station.bench.append("beacon.log", 1);
    station.start();
    station.wait(1);
    station.bench.stop();
    server.always(Some(Fault::Answer(403, "RequestTimeTooSkewed")));
    let Some(clock) = Clock::new("a clock that a store refuses") else { return };
    for (offset, direction) in [("+7200s", "ahead of"), ("-7200s", "behind")] {
        clock.set(offset);
        let mut command = alt();
        clock.show(credentials(&mut command));
        command.args(["archive", "verify", "--config"]).arg(&station.bench.config);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let mend = said.split("this machine's clock is wrong (").nth(1).unwrap_or_default();
        assert!(mend.contains(&format!(" s {direction} the store's)")), "{said}");
    }
}

#[test]
fn what_a_store_is_to_do_with_objects_is_sent() {
    if !with_credentials("what_a_store_is_to_do_with_objects_is_sent") {
        return;
    }
    let server = Server::start();
    let more = "encryption = \"aws:kms\"\nkms_key = \"alias/logs\"\nstorage_class = \"STANDARD_IA\"\n\
                tags = { team = \"web & more\" }";
    let target = configured(&format!("{}{more}", server.configuration("p")), &Arc::default());
    let options = "x-amz-server-side-encryption=aws:kms x-amz-server-side-encryption-aws-kms-key-id=alias/logs \
                   x-amz-storage-class=STANDARD_IA x-amz-tagging=team=web+%26+more";
    for (log, begins, ends) in [(many(1).into_bytes(), "PUT", "PUT"), (noise(3, 9 << 20), "POST", "POST")] {
        let object = packed(&log, Compression::Zstd(3));
        server.requests();
        target.put(&name_of(&object, &log).key(), &object.packed).unwrap();
        let requests = server.requests();
        let (first, last) = (requests.first().unwrap(), requests.last().unwrap());
        assert!(first.starts_with(begins) && first.ends_with(options), "{first}");
        assert!(last.starts_with(ends) && last.contains(" if-none-match=*"), "{last}");
    }
}

#[test]
fn gzip_is_there_for_readers_that_know_nothing_else() {
    let mut station = Station::in_directory("compression = \"gzip\"");
    station.rotate("beacon.log.1", 40_000);
    station.bench.append("beacon.log", 1);
    station.start();
    station.wait(1);
    let (key, path) = station.objects().remove(0);
    assert!(key.ends_with(".log.gz"), "{key}");
    let mut raw = Vec::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut raw).unwrap();
    assert!(raw == fs::read(station.bench.path("beacon.log.1")).unwrap());
    let far = "SELECT file_id, file_offset FROM access_logs ORDER BY file_offset DESC LIMIT 1";
    let far = station.bench.database.psql(far);
    let (file, offset) = far.split_once('|').unwrap();
    let (_, line, err) = ask(&station.bench.config, &["archive", "get", "--file", file, "--offset", offset]);
    assert_eq!(line.as_bytes(), &raw[offset.parse().unwrap()..], "{err}");
    assert!(ask(&station.bench.config, &["archive", "verify", "--deep"]).0);
}

#[test]
fn uploads_that_break_off_leave_nothing() {
    if !with_credentials("uploads_that_break_off_leave_nothing") {
        return;
    }
    let server = Server::start();
    let target = configured(&server.configuration("p"), &Arc::default());
    let log = noise(2, 30 << 20);
    let object = packed(&log, Compression::Zstd(3));
    let key = name_of(&object, &log).key();
    // The second part is refused, as often as it is tried; then the parts are given up.
    server.next(&[None, None, Some(Fault::Answer(403, "AccessDenied"))]);
    let error = target.put(&key, &object.packed).unwrap_err().to_string();
    assert!(
        error.contains("403 AccessDenied") && error.contains("part 2") && error.contains("docs/ARCHIVE.md"),
        "{error}"
    );
    assert_eq!((server.unfinished(), server.objects().len()), (0, 0));
    // Giving them up fails, too: the next start finds them.
    let refused = Some(Fault::Answer(403, "AccessDenied"));
    server.next(&[None, None, refused, refused]);
    target.put(&key, &object.packed).unwrap_err();
    assert_eq!(server.unfinished(), 1);
    assert_eq!(target.sweep("another").unwrap(), 0);
    assert_eq!(target.sweep("web-1").unwrap(), 1);
    assert_eq!(server.unfinished(), 0);
    // A bucket that is not there.
    let nowhere = server.configuration("p").replace("s3://logs/", "s3://nothing/");
    let small = packed(&log[..1000], Compression::Zstd(3));
    let error = configured(&nowhere, &Arc::default()).put("x", &small.packed).unwrap_err().to_string();
    assert!(error.contains("404 NoSuchBucket") && error.contains("mend url in [archive]"), "{error}");
    // It came to its end, and nobody heard of it.
    server.next(&[None, None, None, None, None, Some(Fault::NoAnswer)]);
    let name = name_of(&object, &log);
    while store(target.as_ref(), name.clone(), &object.packed, &Arc::default()).is_err() {}
    assert_eq!((server.unfinished(), server.objects().len()), (0, 1));
}

#[test]
fn a_line_to_the_store_that_is_cut_within_an_upload() {
    let server = Server::start();
    let wire = Wire::to(server.address());
    let archive = server.configuration_through(wire.address, "logs");
    let mut station = Station::new(&archive, Some(server));
    station.bench.append("beacon.log", 1);
    station.bench.daemon = Some(Daemon::start_with(&station.bench.config, |command| {
        _ = credentials(command).env("ALT_FAULT_WAIT", "1500");
    }));
    station.bench.settle();
    // Bytes of a connection: before a request or within its head, within its body, before the answer and within it.
    let full = std::env::var_os("ALT_TEST_FULL").is_some();
    let mut places = vec![(Whose::Client, 500), (Whose::Client, 9_000), (Whose::Server, 100)];
    if full {
        places.extend([
            (Whose::Client, 0),
            (Whose::Client, 5_000),
            (Whose::Client, 30_000),
            (Whose::Server, 0),
        ]);
    }
    let (mut files, mut cuts) = (0, 0);
    for cut in Cut::ALL {
        for &(whose, bytes) in &places {
            wire.next(whose, bytes, cut);
            files += 1;
            cuts += 1;
            station.rotate(&format!("beacon.log.{files}"), 8_000);
            wait_for(
                60,
                || wire.cuts() == cuts,
                || format!("{cut:?} {whose:?} {bytes}\n{}", station.bench.state()),
            );
            station.wait(files);
        }
    }
    station.check();
    station.bench.settle();
    station.bench.stop();
}

/// A log directory with an archive, a database, and a daemon.
struct Station {
    bench: Bench,
    server: Option<Server>,
    /// What every rotated file holds, by its SHA-256.
    files: BTreeMap<[u8; 32], usize>,
}

impl Station {
    fn new(archive: &str, server: Option<Server>) -> Station {
        let bench = Bench::not_started(
            &format!("[[source]]\npaths = [\"DIR/beacon.log\"]\n{archive}"),
            Database::create(),
        );
        Station { bench, server, files: BTreeMap::new() }
    }

    fn in_directory(more: &str) -> Station {
        Station::new(&format!("[archive]\nurl = \"file://DIR/archive\"\n{more}"), None)
    }

    fn in_bucket(more: &str) -> Station {
        let server = Server::start();
        Station::new(&format!("{}{more}", server.configuration("logs")), Some(server))
    }

    fn start(&mut self) {
        self.bench.daemon = Some(Daemon::start_with(&self.bench.config, |command| {
            _ = credentials(command);
        }));
    }

    /// Writes a log and rotates it away; an hour old.
    fn rotate(&mut self, name: &str, lines: usize) {
        self.rotate_with(name, lines, 0);
    }

    /// The same, with so many more lines that are no hits.
    fn rotate_with(&mut self, name: &str, lines: usize, more: usize) {
        let text = many(lines) + &many(more).replace("\t204\t", "\t429\t");
        let mut file = fs::File::create(self.bench.path("new")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        fs::rename(self.bench.path("new"), self.bench.path(name)).unwrap();
        self.files.insert(Sha256::digest(&text).into(), text.len());
        self.bench.written += lines;
    }

    fn archived(&self) -> usize {
        let sql = "SELECT count(*) FROM log_files WHERE archived_at IS NOT NULL";
        self.bench.database.psql(sql).parse().unwrap()
    }

    fn wait(&self, count: usize) {
        wait_for(60, || self.archived() == count, || self.bench.state());
    }

    fn objects(&self) -> Vec<(String, PathBuf)> {
        if let Some(server) = &self.server {
            return server.objects();
        }
        let target = configured(
            &format!("[archive]\nurl = \"file://{}\"", self.bench.path("archive").display()),
            &Arc::default(),
        );
        let path = |key: String| (key.clone(), self.bench.path("archive").join(key));
        list(target.as_ref(), "").into_iter().map(|listed| path(listed.key)).collect()
    }

    /// Every rotated file is one object, whole; and the database says what it is.
    fn check(&self) {
        let mut found = BTreeMap::new();
        for (key, path) in self.objects() {
            let bytes = fs::read(path).unwrap();
            let raw = zstd::decode_all(&bytes[..]).unwrap();
            let raw_sha256: [u8; 32] = Sha256::digest(&raw).into();
            assert_eq!(found.insert(raw_sha256, raw.len()), None, "{key} is there twice");
            let hex = |hash: &[u8]| hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let said = self.bench.database.psql(&format!(
                "SELECT archive_bytes, encode(archive_sha256, 'hex'), raw_bytes, encode(raw_sha256, 'hex'), raw_lines, \
                 archive_error IS NULL FROM log_files WHERE archive_uri LIKE '%{key}'"
            ));
            let lines = raw.split_inclusive(|byte| *byte == b'\n').count();
            let object = hex(&Sha256::digest(&bytes));
            let expected = format!("{}|{object}|{}|{}|{lines}|t", bytes.len(), raw.len(), hex(&raw_sha256));
            assert_eq!(said, expected, "{key}");
        }
        assert_eq!(found, self.files, "{}", self.bench.state());
        if let Some(server) = &self.server {
            assert_eq!(server.unfinished(), 0);
        }
    }
}

#[test]
fn rotated_logs_are_archived_and_deleted_when_they_may_be() {
    let mut station = Station::in_directory("delete_after = \"30m\"");
    station.rotate("beacon.log.2", 300);
    // What is young stays.
    station.rotate("beacon.log.1", 200);
    let young = fs::File::options().append(true).open(station.bench.path("beacon.log.1")).unwrap();
    young.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    // Compressed by somebody else, and in the other directory.
    station.rotate("text", 100);
    fs::create_dir(station.bench.path("rotated")).unwrap();
    let gz = fs::File::create(station.bench.path("rotated/beacon.log-20261120.gz")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(gz, flate2::Compression::fast());
    gz.write_all(&fs::read(station.bench.path("text")).unwrap()).unwrap();
    gz.finish().unwrap().set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
    fs::remove_file(station.bench.path("text")).unwrap();
    // What is no log of ours, and a link to one.
    fs::write(station.bench.path("other.log.1"), many(1)).unwrap();
    fs::write(station.bench.path("elsewhere"), many(50)).unwrap();
    symlink(station.bench.path("elsewhere"), station.bench.path("beacon.log.9")).unwrap();
    station.bench.append("beacon.log", 10);
    station.start();
    station.wait(3);
    station.bench.settle();
    let is_there = |name: &str| is_there(&station.bench.path(name));
    wait_for(
        30,
        || !is_there("beacon.log.2") && !is_there("rotated/beacon.log-20261120.gz"),
        || station.bench.state(),
    );
    station.check();
    for name in ["beacon.log", "beacon.log.1", "beacon.log.9", "elsewhere", "other.log.1"] {
        assert!(is_there(name), "{name}");
    }
    let deleted = station.bench.database.psql("SELECT count(*) FROM log_files WHERE deleted_at IS NOT NULL");
    assert_eq!(deleted, "2");
}

#[test]
fn a_file_that_is_not_what_was_archived_stays() {
    let mut station = Station::in_directory("delete_after = \"0s\"");
    station.rotate("beacon.log.1", 300);
    station.bench.append("beacon.log", 10);
    let bench = &station.bench;
    // Archived, and the row spoiled before it is deleted: as if the file were another.
    bench.database.psql(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN NEW.raw_sha256 := decode(repeat('00', 32), 'hex'); RETURN NEW; END$$; \
         CREATE TRIGGER spoil BEFORE UPDATE OF raw_sha256 ON log_files FOR EACH ROW EXECUTE FUNCTION spoil()",
    );
    station.start();
    station.wait(1);
    let said = || station.bench.daemon.as_ref().unwrap().log();
    wait_for(30, || said().contains("it is not deleted"), said);
    assert!(is_there(&station.bench.path("beacon.log.1")));
}

#[test]
fn without_an_archive_loaded_logs_go_when_that_is_wanted() {
    for (retention, goes) in [("", false), ("[retention]\nlogs = \"30m\"", true)] {
        let mut station = Station::new(retention, None);
        station.rotate("beacon.log.1", 100);
        station.rotate("beacon.log.2", 100);
        let young = fs::File::options().append(true).open(station.bench.path("beacon.log.2")).unwrap();
        young.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        station.bench.append("beacon.log", 10);
        station.start();
        station.bench.settle();
        station.bench.sealed(2);
        if goes {
            wait_for(30, || !is_there(&station.bench.path("beacon.log.1")), || station.bench.state());
        }
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(is_there(&station.bench.path("beacon.log.1")), !goes);
        assert!(is_there(&station.bench.path("beacon.log.2")) && is_there(&station.bench.path("beacon.log")));
    }
}

/// A log of ten lines that was written an hour ago.
fn quiet(bench: &mut Bench, name: &str) {
    bench.append(name, 10);
    bench.stands_still(name);
}

#[test]
fn a_quiet_live_log_whose_name_looks_like_a_rotated_one_is_not_deleted() {
    let sources = "[[source]]\npaths = [\"DIR/a.log\", \"DIR/a-2.log\"]\n[retention]\nlogs = \"30m\"";
    let mut bench = Bench::not_started(sources, Database::create());
    for name in ["a-2.log", "a.log.1", "a-3.log"] {
        quiet(&mut bench, name);
    }
    bench.append("a.log", 10);
    bench.start();
    bench.settle();
    for name in ["a.log.1", "a-3.log"] {
        wait_for(30, || !is_there(&bench.path(name)), || bench.state());
    }
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_there(&bench.path("a-2.log")), "{}", bench.state());
    bench.append("a-2.log", 1);
    bench.settle();
}

#[test]
fn a_rotated_log_that_somebody_has_open_for_writing_is_not_deleted() {
    let mut bench = Bench::not_started(
        "[[source]]\npaths = [\"DIR/beacon.log\"]\n[retention]\nlogs = \"30m\"",
        Database::create(),
    );
    quiet(&mut bench, "beacon.log.1");
    let writer = fs::File::options().append(true).open(bench.path("beacon.log.1")).unwrap();
    let reader = fs::File::open(bench.path("beacon.log.1")).unwrap();
    bench.append("beacon.log", 10);
    bench.start();
    bench.settle();
    let said = || bench.daemon.as_ref().unwrap().log();
    let why = format!("is not deleted: the process {} has it open for writing", std::process::id());
    wait_for(30, || said().contains(&why), || bench.state());
    assert!(is_there(&bench.path("beacon.log.1")));
    drop(writer);
    wait_for(30, || !is_there(&bench.path("beacon.log.1")), || bench.state());
    drop(reader);
}

#[test]
fn what_may_be_a_live_log_is_not_deleted_by_an_account_that_cannot_see_who_writes() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let sources = "[[source]]\npaths = [\"DIR/*.log\"]\n[retention]\nlogs = \"30m\"";
    let mut bench = Bench::not_started(sources, Database::create());
    let directory = bench.directory.path().to_owned();
    fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    for name in ["a-2.log", "a-20261120.log", "a.log.1"] {
        quiet(&mut bench, name);
    }
    bench.append("a.log", 10);
    bench.daemon = Some(Daemon::start_as_nobody(&bench.config));
    bench.settle();
    for name in ["a.log.1", "a-20261120.log"] {
        wait_for(30, || !is_there(&bench.path(name)), || bench.state());
    }
    let said = || bench.daemon.as_ref().unwrap().log();
    wait_for(30, || said().contains("it may be a live log"), || bench.state());
    assert!(is_there(&bench.path("a-2.log")));
}

#[test]
fn a_store_that_refuses_does_not_hold_up_loading() {
    let mut station = Station::in_bucket("");
    let server = station.server.take().unwrap();
    // A crash has left an upload, of which nobody knows when the store refuses.
    server.begin("logs/dt=2026-01-01/host=here/beacon-unknown-unknown-0123456789abcdef-1.log.zst");
    server.always(Some(Fault::Answer(403, "AccessDenied")));
    let text = fs::read_to_string(&station.bench.config).unwrap();
    fs::write(&station.bench.config, text.replace("[load]", "[load]\nhost = \"here\"")).unwrap();
    station.rotate("beacon.log.1", 100);
    station.bench.append("beacon.log", 10);
    station.start();
    station.bench.settle();
    let error =
        || station.bench.database.psql("SELECT archive_error FROM log_files WHERE archive_error IS NOT NULL");
    wait_for(30, || error().contains("the credentials do not allow it"), || station.bench.state());
    let status = alt().args(["status", "--config"]).arg(&station.bench.config).output().unwrap();
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("not archived"), "{status}");
    let (_, check, _) = ask(&station.bench.config, &["check"]);
    assert!(check.contains("the archive cannot be used") && check.contains("403 AccessDenied"), "{check}");
    station.bench.append("beacon.log", 10);
    station.bench.settle();
    assert_eq!(station.archived(), 0);
    server.always(None);
    let (_, check, _) = ask(&station.bench.config, &["check"]);
    assert!(!check.contains("the archive"), "{check}");
    station.wait(1);
    wait_for(30, || server.unfinished() == 0, || station.bench.state());
    station.server = Some(server);
    station.check();
}

#[test]
fn the_daemon_stops_while_a_store_does_not_answer() {
    let mut station = Station::in_bucket("");
    station.server.as_ref().unwrap().always(Some(Fault::Slow(3_600_000)));
    station.rotate("beacon.log.1", 100);
    station.bench.append("beacon.log", 10);
    station.start();
    station.bench.settle();
    station.bench.sealed(1);
    wait_for(30, || !station.server.as_ref().unwrap().requests().is_empty(), || station.bench.state());
    let started = std::time::Instant::now();
    station.bench.stop();
    assert!(started.elapsed() < patience(10), "{:?}", started.elapsed());
}

/// Faults of the store and kills of the daemon, at random.
#[test]
fn whatever_goes_wrong_every_log_is_archived_once() {
    let full = std::env::var_os("ALT_TEST_FULL").is_some();
    // Up to 200 MB each; few of the lines are rows, whose loading is tested elsewhere.
    let (files, kills, most) = if full { (100, 100, 780_000) } else { (12, 8, 4_000) };
    let seed =
        u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    println!("seed {seed}");
    let mut station = Station::in_bucket("delete_after = \"0s\"");
    station.bench.append("beacon.log", 10);
    let mut random = seed;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((random >> 33) % below as u64).unwrap()
    };
    station.server.as_ref().unwrap().percent(20, seed);
    let mut rotated = 0;
    for _ in 0..kills {
        for _ in 0..files / kills + 1 {
            if rotated < files {
                rotated += 1;
                let lines = next(most);
                station.rotate_with(&format!("beacon.log.{rotated}"), 10 + lines % 2000, lines);
            }
        }
        station.start();
        std::thread::sleep(Duration::from_millis(200 + next(2500) as u64));
        station.bench.daemon.take().unwrap().kill();
        // No file went before it was archived.
        let gone =
            (1..=rotated).filter(|n| !is_there(&station.bench.path(&format!("beacon.log.{n}")))).count();
        assert!(gone <= station.archived());
    }
    station.server.as_ref().unwrap().percent(if full { 20 } else { 10 }, seed);
    station.start();
    wait_for(if full { 3600 } else { 120 }, || station.archived() == files, || station.bench.state());
    station.server.as_ref().unwrap().percent(0, 0);
    let left = || (1..=files).filter(|n| is_there(&station.bench.path(&format!("beacon.log.{n}")))).count();
    wait_for(120, || left() == 0, || format!("{} left\n{}", left(), station.bench.state()));
    station.bench.settle();
    // What the last kill has left, the last start sweeps.
    let server = station.server.as_ref().unwrap();
    wait_for(30, || server.unfinished() == 0, || format!("{} uploads are left", server.unfinished()));
    station.check();
}

/// `alt run --final`, as a child.
fn last(bench: &Bench, mut command: Command) -> std::process::Child {
    credentials(&mut command).args(["run", "--final", "--config"]).arg(&bench.config);
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Whether it ended well, and what it said.
fn ended(mut child: std::process::Child) -> (bool, String) {
    wait_for(60, || child.try_wait().unwrap().is_some(), || "alt run --final has no end".to_owned());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_last_run_loads_and_archives_all_and_says_so() {
    // Nothing is young, and live logs stay all the same.
    let mut station = Station::in_bucket("delete_after = \"0s\"");
    station.rotate("beacon.log.1", 100);
    station.rotate("real", 50);
    symlink(station.bench.path("real"), station.bench.path("beacon.log")).unwrap();
    // A line without its end counts, too; of an empty log, nothing does.
    let text = many(1);
    let cut = text.strip_suffix('\n').unwrap();
    fs::write(station.bench.path("beacon.log.2"), cut).unwrap();
    station.files.insert(Sha256::digest(cut).into(), cut.len());
    station.bench.written += 1;
    let empty = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    fs::write(station.bench.path("beacon.log.4.gz"), empty.finish().unwrap()).unwrap();
    let (well, said) = ended(last(&station.bench, alt()));
    assert!(well, "{said}");
    station.bench.check();
    assert_eq!(station.archived(), 3, "{said}");
    station.check();
    assert!(is_there(&station.bench.path("real")) && !is_there(&station.bench.path("beacon.log.1")));
    // Nothing more is owed, and nothing is done again.
    station.server.as_ref().unwrap().requests();
    assert!(ended(last(&station.bench, alt())).0);
    let requests = station.server.as_ref().unwrap().requests();
    assert!(requests.iter().all(|request| !request.starts_with("PUT")), "{requests:?}");
    // What cannot be read is owed, and the rest is done.
    fs::write(station.bench.path("beacon.log.3.gz"), b"\x1f\x8b\x08\0 broken").unwrap();
    fs::write(station.bench.path("beacon.log.5"), b"\xfd7zXZ\0 of another kind").unwrap();
    station.rotate("beacon.log.6", 10);
    let (well, said) = ended(last(&station.bench, alt()));
    assert!(!well && said.contains("beacon.log.3.gz") && said.contains("beacon.log.5"), "{said}");
    assert_eq!(station.archived(), 4);
}

#[test]
fn the_last_run_owes_what_was_not_committed() {
    let mut station = Station::new("", None);
    station.rotate("beacon.log", 50);
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not now'; END$$; \
                  CREATE TRIGGER refuse BEFORE INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse()";
    station.bench.database.psql(refuse);
    // Stopped before it could.
    let child = last(&station.bench, alt());
    std::thread::sleep(Duration::from_secs(2));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let (well, said) = ended(child);
    assert!(!well && said.contains("stopped before"), "{said}");
    // It comes to its end once it can.
    let child = last(&station.bench, alt());
    std::thread::sleep(Duration::from_secs(2));
    station.bench.database.psql("DROP TRIGGER refuse ON checkpoints");
    let (well, said) = ended(child);
    assert!(well, "{said}");
    station.bench.check();
    // A directory that cannot be listed may hold anything.
    if nix::unistd::geteuid().is_root() {
        let closed = station.bench.path("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let text = fs::read_to_string(&station.bench.config).unwrap();
        let open = station.bench.directory.path();
        fs::set_permissions(open, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let log = format!("{}/closed/*.log", open.display());
        fs::write(&station.bench.config, text.replace(&format!("{}/beacon.log", open.display()), &log))
            .unwrap();
        let nobody = crate::support::daemon::alt_as_nobody(&station.bench.config);
        let (well, said) = ended(last(&station.bench, nobody));
        assert!(!well && said.contains("closed"), "{said}");
    }
}

#[test]
fn a_log_that_the_archive_does_not_take_does_not_keep_others_out() {
    let mut station = Station::in_directory("delete_after = \"0s\"");
    let days = 3 * 86_400;
    let old: String = (0..10).map(|_| crate::support::lines::alt1_aged(days)).collect();
    station.bench.append_text("beacon.log.1", &old, 10);
    let file = fs::File::options().append(true).open(station.bench.path("beacon.log.1")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days)).unwrap();
    station.rotate("beacon.log.2", 20);
    station.bench.append("beacon.log", 10);
    // Where its folder should be stands something else.
    let day = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(72)).unwrap();
    let folder = format!("archive/dt={}", day.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d"));
    fs::create_dir(station.bench.path("archive")).unwrap();
    fs::write(station.bench.path(&folder), "").unwrap();
    station.start();
    station.wait(1);
    wait_for(30, || !is_there(&station.bench.path("beacon.log.2")), || station.bench.state());
    let error =
        "SELECT count(*) FROM log_files WHERE archive_error LIKE '%archive/dt=%' AND path LIKE '%.log.1'";
    assert_eq!(station.bench.database.psql(error), "1");
    fs::remove_file(station.bench.path(&folder)).unwrap();
    station.wait(2);
}

#[test]
fn a_log_that_was_taken_out_is_not_deleted() {
    let mut station = Station::new("[retention]\nlogs = \"0s\"", None);
    station.rotate("beacon.log.1", 20);
    let (config, log) = (station.bench.config.clone(), station.bench.path("beacon.log.1"));
    assert!(ask(&config, &["replay", log.to_str().unwrap()]).0);
    assert!(ask(&config, &["unload", log.to_str().unwrap()]).0);
    station.rotate("beacon.log.2", 30);
    station.bench.append("beacon.log", 1);
    station.start();
    wait_for(30, || !is_there(&station.bench.path("beacon.log.2")), || station.bench.state());
    std::thread::sleep(Duration::from_secs(1));
    assert!(is_there(&log));
}

/// `alt` with the configuration and the credentials of a station.
fn ask(config: &Path, args: &[&str]) -> (bool, String, String) {
    let mut command = alt();
    let output = credentials(&mut command).args(args).arg("--config").arg(config).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn account(config: &Path, args: &[&str]) -> serde_json::Value {
    let (well, out, err) = ask(config, args);
    assert!(well, "{args:?}: {out}{err}");
    serde_json::from_str(&out).unwrap()
}

/// Rows by hour and application, and a hash over all of them.
fn rows(database: &Database) -> String {
    database.psql(
        "SELECT date_trunc('hour', occurred_at), app_id, count(*), count(DISTINCT event_id), \
         md5(string_agg(event_id::text, '' ORDER BY event_id)) FROM access_logs GROUP BY 1, 2 ORDER BY 1, 2",
    )
}

#[test]
fn the_archive_brings_rows_back_and_lines() {
    let mut station = Station::in_bucket("");
    // The second has two frames.
    for (name, lines) in [("beacon.log.1", 500), ("beacon.log.2", 45_000), ("beacon.log.3", 300)] {
        station.rotate(name, lines);
    }
    station.bench.append("beacon.log", 1);
    station.start();
    station.wait(3);
    station.bench.settle();
    station.check();
    station.bench.stop();
    let (config, before) = (station.bench.config.clone(), rows(&station.bench.database));
    let server = station.server.as_ref().unwrap();
    let fetched = || {
        let objects = |request: &&String| request.starts_with("GET") && request.contains(".log.zst");
        server.requests().iter().filter(objects).count()
    };
    fetched();

    // All is there: nothing is fetched.
    let all = "s3://logs/logs/";
    let known = account(&config, &["replay", "--json", all]);
    assert_eq!(
        (&known["files"], &known["files_loaded_before"], &known["lines"]),
        (&3.into(), &3.into(), &0.into())
    );
    assert_eq!(account(&config, &["replay", "--json", "--missing"])["files_loaded_before"], 3);
    assert_eq!(fetched(), 0);
    // Rows that were deleted come back; what came from the live log is not in the archive.
    let live = station.bench.database.psql(
        "SELECT event_id FROM access_logs WHERE file_id = (SELECT id FROM log_files WHERE path LIKE '%/beacon.log')",
    );
    station.bench.database.psql(&format!("DELETE FROM access_logs WHERE event_id <> '{live}'"));
    let again = account(&config, &["replay", "--json", "--again", "--jobs", "2", all]);
    assert_eq!((&again["rows"], &again["lines"]), (&45_800.into(), &45_800.into()));
    assert_eq!(rows(&station.bench.database), before);
    assert_eq!(fetched(), 3);

    // A filter looks for rows by ids, whatever the ledger says.
    station.bench.database.psql("DELETE FROM access_logs WHERE file_offset = 0 AND file_id IN (SELECT id FROM log_files WHERE path LIKE '%.log.%')");
    let some = account(&config, &["replay", "--json", "--since", "2020-01-01", all]);
    assert!(some["rows"].as_u64().unwrap() >= 1, "{some}");
    assert_eq!((rows(&station.bench.database), fetched()), (before.clone(), 3));

    // Another database, empty.
    let other = Bench::not_started(
        &format!("[[source]]\npaths = [\"DIR/beacon.log\"]\n{}", server.configuration("logs")),
        Database::create(),
    );
    let time = |sign: &str| {
        let at = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        let day = jiff::Span::new().days(1);
        let at = if sign == "-" { at.checked_sub(day) } else { at.checked_add(day) };
        at.unwrap().timestamp().to_string()
    };
    let outside = account(&other.config, &["replay", "--json", "--until", &time("-"), all]);
    assert_eq!((&outside["files"], &outside["files_outside"]), (&0.into(), &3.into()));
    assert_eq!(fetched(), 0);
    // A transfer that breaks off is taken up again.
    server.next(&[None, Some(Fault::HalfAnswer), Some(Fault::Answer(503, "SlowDown")), Some(Fault::Reset)]);
    let loaded = account(&other.config, &["replay", "--json", "--since", "2020-01-01", "--missing"]);
    assert_eq!((&loaded["rows"], &loaded["files_failed"]), (&45_800.into(), &serde_json::json!({})));
    let loaded = account(&other.config, &["replay", "--json", "--missing"]);
    assert_eq!((&loaded["rows"], &loaded["already_loaded"]), (&0.into(), &45_800.into()));
    fetched();
    let known = account(&other.config, &["replay", "--json", "--missing"]);
    assert_eq!((&known["files_loaded_before"], fetched()), (&3.into(), 0));
    let count = "SELECT count(*), count(DISTINCT event_id) FROM access_logs";
    assert_eq!(other.database.psql(count), "45800|45800");
    let (well, _, err) = ask(&config, &["replay", "s3:///no/bucket"]);
    assert!(!well && err.contains("neither s3://BUCKET/PREFIX nor file:///PATH"), "{err}");
    let (_, said, _) = ask(&config, &["replay", "s3://logs/nothing/"]);
    assert_eq!(said, "");

    // Every row is traced to its line, from here and from there.
    for database in [(&station.bench.database, &config), (&other.database, &other.config)] {
        let far = "SELECT event_id, file_id, file_offset, to_char(occurred_at AT TIME ZONE 'UTC', \
                   'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM access_logs ORDER BY file_offset DESC LIMIT 1";
        let row = database.0.psql(far);
        let row: Vec<&str> = row.split('|').collect();
        server.requests();
        let (well, line, err) = ask(database.1, &["archive", "get", "--event", row[0], "--around", row[3]]);
        assert!(well && line.contains(&row[0].replace('-', "")) && line.ends_with('\n'), "{line}{err}");
        assert_eq!(server.requests().len(), 2, "the table, and a frame");
        let (_, same, _) = ask(database.1, &["archive", "get", "--file", row[1], "--offset", row[2]]);
        assert_eq!(same, line);
    }
    // Also from the live log, that is in no archive.
    let sql =
        "SELECT file_id, file_offset, replace(event_id::text, '-', '') FROM access_logs WHERE event_id = '";
    let row = station.bench.database.psql(&format!("{sql}{live}'"));
    let row: Vec<&str> = row.split('|').collect();
    let (_, line, err) = ask(&config, &["archive", "get", "--file", row[0], "--offset", row[1]]);
    assert!(line.contains(row[2]), "{line}{err}");

    // The objects, and whether they are well.
    let objects = account(&config, &["archive", "list", "--json"]);
    assert_eq!(objects.as_array().unwrap().iter().filter(|object| object["loaded"] == true).count(), 3);
    let uri = objects[0]["uri"].as_str().unwrap();
    let (_, log, _) = ask(&config, &["archive", "get", uri]);
    let raw: [u8; 32] = Sha256::digest(&log).into();
    assert!(station.files.contains_key(&raw));
    assert_eq!(
        account(&config, &["archive", "verify", "--deep", "--json"])["problems"],
        serde_json::json!([])
    );
    let (_, path) = &server.objects()[0];
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    let (well, said, _) = ask(&config, &["archive", "verify"]);
    assert!(well && said.contains("3 of 3"), "{said}");
    let (well, said, _) = ask(&config, &["archive", "verify", "--deep"]);
    assert!(!well && said.contains("not those that were stored") && said.contains("2 of 3"), "{said}");

    // What is old goes, if it is loaded.
    let prune =
        |more: &[&str]| account(&config, &[&["archive", "prune", "--json", "--before"], more].concat());
    assert_eq!(prune(&["1d"])["objects"], 0);
    assert_eq!(prune(&[&time("+"), "--dry-run"])["objects"], 3);
    station.bench.database.psql("UPDATE checkpoints SET unloaded_at = now() WHERE lines = 300");
    let pruned = prune(&[&time("+")]);
    assert_eq!((&pruned["objects"], pruned["not_loaded"].as_array().unwrap().len()), (&2.into(), 1));
    assert_eq!(server.objects().len(), 1);
}
