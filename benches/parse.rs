//! Nanoseconds a line: `cargo bench --bench parse [-- FORMAT]`. The least of several rounds, because noise
//! only adds.

use std::hint::black_box;
use std::time::Instant;

use access_log_tracker::pure::arena::{ARENA_BYTES, Arena};
use access_log_tracker::pure::hit::Parsed;
use access_log_tracker::pure::parse::{Format, Spec, Terms};

const ROUNDS: u32 = 40;
const LINES: u32 = 20_000;

fn main() {
    let beacon = concat!(
        "alt1\t1700000000.123\t000102030405060708090a0b0c0d0e0f\t203.0.113.9\tGET\t204\tt.example.com\t/b\t",
        "a=k3yk3yk3y&pv=1f2e3d4c5b6a7988&u=https%3A%2F%2Fshop.example%2Fproducts%2Flist%3Fcategory%3D2&",
        "r=https%3A%2F%2Fwww.google.com%2F&t=Products+%E2%80%93+Shop&s=8f14e45fceea167a&sw=1920&sh=1080&",
        "tz=Europe%2FBerlin&ts=1700000000001&v=1\t",
        "https://shop.example/\tMozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like ",
        "Gecko) Chrome/126.0\tde-DE,de;q=0.9,en;q=0.8\t\t\t1\t\t\t512\t"
    );
    let combined = concat!(
        "203.0.113.9 - - [14/Nov/2023:22:13:20 +0000] \"GET /products/list?category=2 HTTP/1.1\" 200 5316 ",
        "\"https://shop.example/\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like ",
        "Gecko) Chrome/126.0 Safari/537.36\""
    );
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let matomo = concat!(
        "203.0.113.9 - - [14/Nov/2023:22:13:20 +0000] \"GET /matomo.php?action_name=Products%20%E2%80%93%20Shop",
        "&idsite=7&rec=1&r=929409&h=22&m=13&s=20&url=https%3A%2F%2Fshop.example%2Fproducts%2Flist%3Fcategory%3D2",
        "&urlref=https%3A%2F%2Fwww.google.com%2F&_id=0a0eb2e9175a04ab&_idn=1&send_image=0&_refts=0&pdf=1&qt=0",
        "&realp=0&wma=0&fla=0&java=0&ag=0&cookie=1&res=1920x1080&pf_net=12&pf_srv=108&pf_tfr=3&pf_dm1=90",
        "&pv_id=4fglKu HTTP/1.1\" 200 54 ",
        "\"https://shop.example/\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like ",
        "Gecko) Chrome/126.0 Safari/537.36\""
    );
    let pixel = || Spec { pixel: Some("matomo".to_owned()), ..Spec::new("combined") };
    for (name, spec, line) in [
        ("alt1", Spec::new("alt1"), beacon),
        ("combined", Spec::new("combined"), combined),
        ("matomo", pixel(), matomo),
    ] {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            measure(name, &Format::of(&spec).expect("a known format"), line);
        }
    }
}

fn measure(name: &str, format: &Format, line: &str) {
    let terms = Terms::default();
    let mut buffer = vec![0; ARENA_BYTES];
    assert!(matches!(
        format.parse(line.as_bytes(), false, &terms, &mut Arena::new(&mut buffer)),
        Parsed::Hit(_)
    ));
    let mut parse = || {
        let line = black_box(line.as_bytes());
        black_box(&format.parse(line, false, &terms, &mut Arena::new(&mut buffer)));
    };
    let parsed = least_ns(&mut parse);
    let pieces = least_ns(&mut || {
        black_box(format.next_piece(black_box(line.as_bytes())));
    });
    println!("{name:9} {} bytes: parse {parsed:.0} ns, next_piece {pieces:.0} ns", line.len());
}

fn least_ns(work: &mut dyn FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        for _ in 0..LINES {
            work();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(LINES)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
