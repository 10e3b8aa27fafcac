//! The OpenAPI document: schemathesis asks for all of it what it permits and what it does not, and finds nothing.

use std::process::Command;

use crate::serve::{Api, token};
use crate::support::bench::Bench;
use crate::support::not_looked_at;
use crate::support::postgres::Database;

#[test]
fn schemathesis_finds_nothing_in_the_whole_document() {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/schemathesis/bin/schemathesis");
    if Command::new(installed).arg("--version").output().is_err() {
        not_looked_at("the OpenAPI document by schemathesis: scripts/test installs it");
        return;
    }
    let bench = Bench::not_started("[[source]]\npaths = [\"DIR/beacon.log\"]", Database::create());
    // Keys that are not guessed, so that it does not revoke what it asks by.
    bench.database.psql("ALTER TABLE web_tokens ALTER id RESTART WITH 1987654321");
    let api = Api::start(&bench, "requests_per_minute = 1000000");
    let secret = token(&bench, &["--role", "owner"]);
    let output = Command::new(installed)
        .arg("run")
        .arg(format!("http://{}/api/openapi.json", api.address))
        .args(["-H", &format!("Authorization: Bearer {secret}"), "--url", &format!("http://{}", api.address)])
        .args([
            "--checks",
            "all",
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "25",
            "--seed",
            "1",
            // CPython 3.11 counts the depth of a syntax tree in one place for all threads, and Hypothesis parses the
            // source of lambdas: of two workers one was sometimes told "AST constructor recursion depth mismatch".
            "--workers",
            "1",
        ])
        // A period, a filter and a cursor have a grammar that a schema does not express, so not all texts are accepted.
        .args(["--no-color", "--continue-on-failure", "--exclude-checks", "positive_data_acceptance"])
        .current_dir(bench.path("."))
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success());
}
