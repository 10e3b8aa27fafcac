//! How it is read what a rule looks at: events, a property of them, or samples; which of them, and by what it tells them apart.

use crate::lens::{Column, Condition, Lens, Of, is_of_installation};
use crate::metric::{self, Metric};
use crate::rule::{Reader, texts};

/// The most characters of the name of a property or a sample.
pub const NAME_MAX: usize = 100;

/// Whether a property or a sample may have this name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control)
}

/// What is looked at: events, a property of them, or samples.
fn of(read: &Reader<'_>, metric: Metric) -> Result<Of, String> {
    let name = |key: &str| match read.text(key)? {
        Some(name) if !is_name(name) => {
            Err(format!("{key} is a name of 1 to {NAME_MAX} characters in one line"))
        }
        name => Ok(name.map(str::to_owned)),
    };
    match (name("property")?, name("sample")?) {
        (Some(_), Some(_)) => Err("property is of events, and sample is of none: leave one out".to_owned()),
        (Some(name), None) => Ok(Of::Property(name)),
        (None, Some(name)) => Ok(Of::Sample(name)),
        (None, None) if metric.is_of_numbers() => {
            Err(format!("metric = \"{metric}\": of what? write property = \"price\", or sample = \"orders\""))
        }
        (None, None) => Ok(Of::Events),
    }
}

/// Refuses what samples do not have: they are numbers with a time and a host.
fn check_samples(read: &Reader<'_>, metric: Metric, lens: &Lens) -> Result<(), String> {
    let Of::Sample(name) = lens.of() else { return Ok(()) };
    if !metric.is_of_samples() {
        let all = metric::ALL.iter().filter(|metric| metric.is_of_samples()).map(|metric| metric.name);
        let all: Vec<&str> = all.collect();
        return Err(format!("metric is of events, and samples are none: there are {}", all.join(", ")));
    }
    if let Some(column) = lens.columns().find(|column| *column != Column::Host) {
        let key = if lens.group_by().contains(&column) { "group_by" } else { "filter" };
        return Err(format!("{key}: samples have no {}; there is host", column.name()));
    }
    let is_of_all = read.text("application")?.is_none_or(|application| application == "*");
    if is_of_installation(name) && !is_of_all {
        return Err(format!(
            "sample = \"{name}\" is of the installation, and of no application: leave application out"
        ));
    }
    Ok(())
}

fn column(name: &str) -> Result<Column, String> {
    let names = || Column::ALL.map(Column::name).join(", ");
    Column::of(name).ok_or_else(|| format!("the column {name:?} is not known; there are {}", names()))
}

/// What a rule looks at, as its table says.
pub(crate) fn parse(read: &Reader<'_>, metric: Metric) -> Result<Lens, String> {
    let lens = lens(read)?.looking_at(of(read, metric)?);
    check_samples(read, metric, &lens)?;
    Ok(lens)
}

fn lens(read: &Reader<'_>) -> Result<Lens, String> {
    let mut filter = Vec::new();
    if let Some(table) = read.table().get("filter") {
        let table = table.as_table().ok_or("filter is a table: filter = { path = \"/api/*\" }")?;
        for (name, value) in table {
            let column = column(name).map_err(|error| format!("filter: {error}"))?;
            filter.push(condition(column, texts(value, &format!("filter.{name}"))?)?);
        }
    }
    let columns = read.texts("group_by")?.iter().map(|name| column(name)).collect::<Result<_, _>>();
    Ok(Lens::new(filter, columns.map_err(|error: String| format!("group_by: {error}"))?))
}

/// A condition of patterns, each of which may begin with `!`, or none.
fn condition(column: Column, patterns: Vec<String>) -> Result<Condition, String> {
    let negated = patterns.iter().filter(|pattern| pattern.starts_with('!')).count();
    if patterns.is_empty() || (negated != 0 && negated != patterns.len()) {
        return Err(format!(
            "filter.{}: write patterns that all begin with !, or none of which does",
            column.name()
        ));
    }
    let plain = |pattern: String| {
        let pattern = pattern.strip_prefix('!').unwrap_or(&pattern);
        if column == Column::Status { pattern.replace("xx", "*") } else { pattern.to_owned() }
    };
    Ok(Condition { column, is_negated: negated > 0, patterns: patterns.into_iter().map(plain).collect() })
}
