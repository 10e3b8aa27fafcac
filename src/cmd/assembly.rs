//! Builds from the configuration what turns the lines of a source into rows; and finishes its work.
//!
//! All sources share the crawler rules and the agreements of `[track]`. They are compiled once, however many sources,
//! loaders and files there are.

use std::sync::Arc;

use alt_collect::pipeline::{Limits, Loader};
use alt_collect::source::reading::Belongs;
use alt_config::{Config, Flood};
use alt_line::enrich::{AgentRules, Enricher, Privacy};
use alt_line::parse::{Format, Spec, Terms};
use alt_line::processor::{Own, Processor};
use alt_line::sites::Sites;
use alt_store::writer::{Interrupted, Store};
use anyhow::Context;

/// The parts that all sources share.
#[derive(Clone)]
pub(crate) struct Assembly {
    rules: Arc<AgentRules>,
    terms: Arc<Terms>,
    privacy: Privacy,
    flood: Flood,
    host: String,
}

impl Assembly {
    /// Compiles the shared parts.
    ///
    /// # Errors
    /// The list of crawlers cannot be read or is not valid, or `[track]` is not valid.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Assembly> {
        Ok(Assembly {
            rules: Arc::new(super::rules(config)?),
            terms: Arc::new(config.track.terms()?),
            privacy: config.privacy,
            flood: config.flood,
            host: config.load.host_name(),
        })
    }

    /// The agreements of `[track]`.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What turns lines of this kind into rows; `format` is the compiled format of `spec`. The rows of a network are not
    /// limited: what a person loads is no flood.
    pub(crate) fn way(&self, spec: &Spec, format: &Arc<Format>) -> Processor {
        let sites = Sites::new(spec.app.clone(), &spec.sites);
        let enricher = Enricher::new(Arc::clone(&self.rules), self.privacy).limited(self.flood);
        let (format, terms) = (Arc::clone(format), Arc::clone(&self.terms));
        Processor::new(format, terms, sites, spec.id_label().to_owned(), enricher)
    }

    /// What a daemon's reader needs of one source with lines of this kind, besides what [`Assembly::way`] makes for all
    /// its sources. The rows of a network are limited.
    pub(crate) fn own(&self, spec: &Spec, format: &Arc<Format>) -> Own {
        let sites = Sites::new(spec.app.clone(), &spec.sites);
        let (format, terms) = (Arc::clone(format), Arc::clone(&self.terms));
        Own::new(format, terms, sites, spec.id_label().to_owned(), self.flood)
    }

    /// How a file of such lines is identified. The name of its source is left empty.
    ///
    /// # Errors
    /// `spec` cannot be written as JSON.
    pub(crate) fn belongs(&self, spec: &Spec, format: &Format) -> anyhow::Result<Belongs> {
        Ok(Belongs {
            host: self.host.clone(),
            source: String::new(),
            format: format.name().to_owned(),
            spec: serde_json::to_string(spec).context("write down what the lines are")?,
            alt1: matches!(format, Format::Alt1),
            lines_have_ids: format.carries_id(),
            twins: !format.carries_id(),
        })
    }
}

/// Hands over what a loader still holds, and waits until it is committed. `store` is the loader's handle of the writer.
///
/// # Errors
/// Some of it was not committed, and has to be read again.
pub(crate) fn settle(loader: &mut Loader, store: &Store) -> Result<(), Interrupted> {
    loader.hand_over()?;
    store.settled()?;
    if loader.is_current() { Ok(()) } else { Err(Interrupted) }
}

/// How batches are cut, where so many readers each fill one, and so many are written at the same time.
pub(crate) fn limits(config: &Config, readers: usize, written: usize) -> Limits {
    Limits {
        rows: config.load.batch_rows,
        bytes: config.load.bytes_of_a_batch(readers + written),
        commit_interval: config.load.commit_interval,
        look_interval: config.load.look_interval,
    }
}
