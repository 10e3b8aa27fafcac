//! The page views of one visitor, by `page_view_id`, and the engagement that waits for them.

use foldhash::{HashMap, HashMapExt};

use crate::values::Id;

/// A page view.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Its session among the visitor's; `None` without a visitor.
    pub(crate) session: Option<u16>,
    /// Its page.
    pub(crate) page: Id,
    /// Its hour.
    pub(crate) hour: Id,
    /// The greatest depth so far.
    pub(crate) depth: Option<u8>,
    /// Whether a time was reported.
    pub(crate) is_timed: bool,
}

/// What a row reports of its view.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// The page that the row itself names.
    pub(crate) page: Id,
    /// Visible time, milliseconds.
    pub(crate) dwell_ms: Option<u64>,
    /// Scroll depth, percent.
    pub(crate) depth: Option<u8>,
}

/// The page views of a visitor. Those in `older` were met before those in `newer`; when `newer` is full, `older` goes.
#[derive(Debug, Default)]
pub(crate) struct Views {
    newer: HashMap<i64, View>,
    older: HashMap<i64, View>,
    waiting: HashMap<i64, Vec<Report>>,
    waiting_count: usize,
}

impl Views {
    /// Whether a page view with this id is known.
    pub(crate) fn has(&self, id: i64) -> bool {
        self.newer.contains_key(&id) || self.older.contains_key(&id)
    }

    /// The page view with this id.
    pub(crate) fn get_mut(&mut self, id: i64) -> Option<&mut View> {
        self.newer.get_mut(&id).or_else(|| self.older.get_mut(&id))
    }

    /// Adds a page view; at least so many others are remembered. Returns what has waited for it.
    pub(crate) fn add(&mut self, id: i64, view: View, most: usize) -> Vec<Report> {
        if self.newer.len() >= most {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(id, view);
        if self.waiting_count == 0 {
            return Vec::new();
        }
        let reports = self.waiting.remove(&id).unwrap_or_default();
        self.waiting_count -= reports.len();
        reports
    }

    /// Keeps a report until its view comes. Where there is no room, all that wait are returned: they have no view.
    pub(crate) fn wait(&mut self, id: i64, report: Report, most: usize) -> Vec<Report> {
        self.waiting.entry(id).or_default().push(report);
        self.waiting_count += 1;
        if self.waiting_count > most { self.take_waiting() } else { Vec::new() }
    }

    /// The reports that wait.
    pub(crate) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Report> {
        self.waiting.values_mut().flatten()
    }

    fn take_waiting(&mut self) -> Vec<Report> {
        self.waiting_count = 0;
        self.waiting.drain().flat_map(|(_, reports)| reports).collect()
    }

    /// Forgets all of a visitor. Returns the reports whose view never came.
    pub(crate) fn end(&mut self) -> Vec<Report> {
        // A large table takes long to clear, and most visitors need a small one.
        const SMALL: usize = 64;
        for views in [&mut self.newer, &mut self.older] {
            if views.capacity() > SMALL {
                *views = HashMap::new();
            } else {
                views.clear();
            }
        }
        let reports = if self.waiting_count == 0 { Vec::new() } else { self.take_waiting() };
        if self.waiting.capacity() > SMALL {
            self.waiting = HashMap::new();
        }
        reports
    }
}
