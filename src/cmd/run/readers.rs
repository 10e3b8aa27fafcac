//! The reader threads: a fixed number for any number of sources.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alt_collect::pipeline::suspicion::Suspicion;
use alt_collect::pipeline::{self, Loader, Sourced};
use alt_collect::source::follow::Follow;
use alt_collect::source::logs::Place;
use alt_collect::source::progress::Progress;
use alt_collect::source::reading::{Marks, Unpacked};
use alt_collect::source::trail::{Hand, Slot};
use alt_collect::source::watch::Watches;
use alt_config::Config;
use alt_line::parse::Format;
use alt_process::beat::Beat;
use alt_store::writer::Store;
use anyhow::Context;

use super::super::assembly::{Assembly, limits};
use super::{Ending, Owed, of_source};

/// The maximum number of reader threads. Each takes some megabytes, and fills batches of its own.
pub(crate) const READERS_MAX: usize = 4;

/// A reader thread.
pub(super) struct Reader {
    /// Where the thread is.
    pub(super) turn: Arc<Turn>,
    /// What was unfinished when it ended.
    pub(super) owed: Owed,
}

/// Where a reader thread is: a count that moves as long as the thread does, and the source whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// The count.
    pub(super) beat: Arc<Beat>,
    source: AtomicUsize,
}

impl Turn {
    /// The source whose turn it is.
    pub(super) fn source(&self) -> usize {
        self.source.load(Ordering::Relaxed)
    }

    fn begins(&self, source: usize) {
        self.source.store(source, Ordering::Relaxed);
        self.beat.moves();
    }
}

/// What readers are made of.
pub(super) struct Starting<'a> {
    pub(super) config: &'a Config,
    pub(super) assembly: &'a Assembly,
    pub(super) places: &'a [Place],
    pub(super) progress: &'a [Arc<Progress>],
    pub(super) store: &'a Store,
    pub(super) suspicion: Option<Arc<Suspicion>>,
    /// The slots of the trail, one for each source.
    pub(super) slots: Vec<Slot>,
    /// Where readers keep how far they unpacked a file.
    pub(super) state_directory: Option<&'a Path>,
    pub(super) watches: Watches,
}

impl Starting<'_> {
    /// Starts all readers, each with its share of the sources. `ending` is what the thread with this index drops when it
    /// ends.
    ///
    /// # Errors
    /// A source is not valid, or a thread cannot be started.
    pub(super) fn all(&self, ending: impl Fn(usize) -> Ending) -> anyhow::Result<Vec<Reader>> {
        let count = self.places.len().min(READERS_MAX);
        (0..count)
            .map(|index| {
                // Neighbours are often alike, so they are dealt out.
                let share = (index..self.places.len()).step_by(count).collect::<Vec<_>>();
                self.one(count, &share, &self.unpacked(index), ending(index))
            })
            .collect()
    }

    /// What the reader with this index unpacks in steps.
    fn unpacked(&self, index: usize) -> Unpacked {
        let Some(directory) = self.state_directory else { return Unpacked::default() };
        let path = directory.join(format!("unpacked-{index}"));
        match Marks::at(&path) {
            Ok(marks) => Unpacked::keeping(marks),
            Err(error) => {
                tracing::warn!(
                    path = %path.display(), %error,
                    "cannot keep how far a bzip2 file is unpacked: a restart would unpack it from its beginning"
                );
                Unpacked::default()
            }
        }
    }

    /// Starts one of `count` readers, of these sources.
    fn one(
        &self,
        count: usize,
        share: &[usize],
        unpacked: &Unpacked,
        ended: Ending,
    ) -> anyhow::Result<Reader> {
        let turn = Arc::new(Turn::default());
        turn.begins(share.first().copied().unwrap_or_default());
        let store = self.store.with_beat(&turn.beat);
        let wake = store.wake();
        let mut ways = Vec::with_capacity(1);
        let mut sources = Vec::with_capacity(share.len());
        for &source in share {
            let settings = &self.config.sources[source];
            let spec = settings.spec();
            let format = Arc::new(Format::of(&spec).with_context(|| of_source(settings))?);
            let hand = Hand { beat: Arc::clone(&turn.beat), slot: self.slots.get(source).cloned() };
            let belongs = self.assembly.belongs(&spec, &format)?;
            let (place, progress) = (self.places[source].clone(), Arc::clone(&self.progress[source]));
            let watch = self.watches.of(Arc::clone(&wake));
            let follow = Follow::new(place, belongs, store.clone(), watch, progress, hand);
            sources.push(Sourced::new(
                follow.among(share.len()).sharing(unpacked),
                self.assembly.own(&spec, &format),
            ));
            if ways.is_empty() {
                ways.push(self.assembly.way(&spec, &format));
            }
        }
        let way = ways.pop().context("a reader needs a source")?;
        let limits = limits(self.config, count, self.config.load.connections);
        let loader = Loader::new(store.clone(), way, limits).suspecting(self.suspicion.clone());
        let owed = Owed::default();
        let (left, at) = (Arc::clone(&owed), Arc::clone(&turn));
        let body = move || {
            // Dropped last, after the store is released.
            let _ended = ended;
            let store = store;
            let files = pipeline::follow(sources, loader, &store, &wake, &|source| at.begins(source));
            let _ = left.set(files);
        };
        std::thread::Builder::new()
            .name("alt-reader".to_owned())
            .spawn(body)
            .context("start a reader thread")?;
        Ok(Reader { turn, owed })
    }
}
