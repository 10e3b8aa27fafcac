//! Lines as nginx writes them, each with an id of its own.

use std::sync::atomic::{AtomicU64, Ordering};

/// The key of the application that [`alt1`] writes hits of.
pub(crate) const KEY: &str = "shop";

static COUNT: AtomicU64 = AtomicU64::new(1);

/// Milliseconds since 1970.
pub(crate) fn now() -> u128 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()
}

/// A hit of the application [`KEY`], now or `age_s` seconds ago, with its newline.
pub(crate) fn alt1_aged(age_s: u64) -> String {
    alt1_at(now() - u128::from(age_s) * 1000)
}

/// The same at a time, milliseconds since 1970.
pub(crate) fn alt1_at(at: u128) -> String {
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = u128::from(n) << 64 | u128::from(std::process::id());
    format!(
        "alt1\t{}.{:03}\t{id:032x}\t192.0.2.{}\tGET\t204\tcollect.example\t/b\ta={KEY}&u=https%3A%2F%2Fshop.example%2Fp%2F{n}&sw=1920\t\
         https://shop.example/\tMozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\tde-DE\t\t\t\t\t\t512\t\n",
        at / 1000,
        at % 1000,
        n % 250,
    )
}

/// A hit of the application [`KEY`], now.
pub(crate) fn alt1() -> String {
    alt1_aged(0)
}

/// Several.
pub(crate) fn many(count: usize) -> String {
    (0..count).map(|_| alt1()).collect()
}

/// Registers the application [`KEY`].
pub(crate) fn register(database: &super::postgres::Database) {
    database.psql(&format!("INSERT INTO applications (app_key, name) VALUES ('{KEY}', 'Shop')"));
}
