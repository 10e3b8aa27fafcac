//! What the tests stand on: real servers, in throwaway directories.

pub(crate) mod bench;
pub(crate) mod browser;
pub(crate) mod cases;
pub(crate) mod daemon;
pub(crate) mod disk;
pub(crate) mod faketime;
pub(crate) mod http2;
pub(crate) mod lines;
pub(crate) mod machines;
pub(crate) mod memory;
pub(crate) mod nginx;
pub(crate) mod pace;
pub(crate) mod pack;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod provider;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod s3;
pub(crate) mod webdriver;
pub(crate) mod wire;

/// Does something for each, so many at the same time: most of the time they wait.
pub(crate) fn each<T: Send>(at_once: usize, of: impl IntoIterator<Item = T>, what: impl Fn(T) + Sync) {
    let all: std::sync::Mutex<Vec<T>> = std::sync::Mutex::new(of.into_iter().collect());
    let next = || all.lock().unwrap().pop();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(one) = next() {
                    what(one);
                }
            });
        }
    });
}

/// Says that this machine does not let a test look at what it is for. The runner hides what a test prints that
/// passes; `scripts/test` gives a file, and tells what is in it at its end.
pub(crate) fn not_looked_at(what: &str) {
    use std::io::Write;
    eprintln!("not looked at: {what}");
    if let Some(path) = std::env::var_os("NOT_LOOKED_AT") {
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        // in one write, because several processes append
        file.write_all(format!("not looked at: {what}\n").as_bytes()).unwrap();
    }
}
