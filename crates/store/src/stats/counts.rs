//! The columns of the counts in `stat_daily`.

use alt_statistics::day::COUNTS;

/// The names of all columns, as `column` writes each, with commas between them.
pub(crate) fn columns(column: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = COUNTS.iter().map(|count| column(count.name)).collect();
    names.join(", ")
}

/// The columns themselves.
pub(crate) fn names() -> String {
    columns(str::to_owned)
}

/// The sum of each column, within the range of a `bigint`.
pub(super) fn sums() -> String {
    columns(|name| format!("least(sum({name}), 9e18)::bigint"))
}
