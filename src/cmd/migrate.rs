//! `alt migrate`: creates or upgrades the schema.

use alt_config::Config;
use alt_store::migrate;

use super::{Out, Outcome, show};
use crate::cli;

/// Applies the missing steps, or shows the applied ones.
///
/// # Errors
/// The database cannot be reached, or refuses a step.
pub async fn run(config: &Config, args: &cli::Migrate, out: Out<'_>) -> anyhow::Result<Outcome> {
    let new = match args.status {
        true => Vec::new(),
        false => migrate::apply(&mut *super::writer(config).await?).await?,
    };
    let all = super::reader(config).await?.read(migrate::status).await?;
    if args.json {
        show::json(out, &all)?;
    } else if args.status {
        let mut rows = show::Rows::new(&[">version", "name", "applied at (UTC)"]);
        for one in &all {
            let when = one.applied_at.clone().unwrap_or_else(|| "not yet: run `alt migrate`".to_owned());
            rows.add(&[one.version.to_string(), one.name.clone(), when]);
        }
        rows.print(out)?;
    } else {
        for one in &new {
            writeln!(out, "applied {} ({})", one.version, one.name)?;
        }
        writeln!(out, "the schema is at version {}", all.last().map_or(0, |one| one.version))?;
    }
    Ok(Outcome::of(all.iter().all(|one| one.applied_at.is_some())))
}
