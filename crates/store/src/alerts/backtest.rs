//! What a rule would have found, and what it measured, by the rows that are there. Nothing is stored.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use alt_alerts::episode::{Interval, intervals};
use alt_alerts::judge::Span;
use alt_alerts::rule::Rule;
use alt_alerts::time::{Micros, SLOT, slot_of};
use alt_alerts::verdict::Meter;
use alt_process::metrics::Metrics;
use alt_process::stop::Stop;

use super::course::{self, Found, Ruled};
use super::keys::{Keys, Labels};
use super::rows::{Reading, SLICE};
use super::series::{Stored, series_of};
use crate::session::Session;
use crate::stats::rows::Slicer;

/// What would have been an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Would {
    /// What tells it from others.
    pub labels: Labels,
    /// Its times.
    pub interval: Interval,
    /// What was found when it began.
    pub found: Option<Found>,
}

/// What reads rows for a rule.
pub struct Backtest {
    session: Session,
    slicer: Slicer,
}

impl Backtest {
    /// Creates one that is not connected yet.
    ///
    /// # Errors
    /// The runtime cannot be created.
    pub fn new(config: &alt_config::Config) -> anyhow::Result<Backtest> {
        let stop = Arc::new(Stop::default());
        let session =
            Session::new(&config.postgres, "backtest", &config.load.host_name(), &Metrics::default(), &stop)?;
        Ok(Backtest { session, slicer: Slicer::new(SLICE) })
    }

    /// The alerts of a rule over an application in a time, by its rows.
    ///
    /// # Errors
    /// The database cannot be asked, or there are too many series.
    pub fn run(&mut self, app_id: i32, rule: &Rule, times: &Range<Micros>) -> anyhow::Result<Vec<Would>> {
        let (from, until) = (slot_of(times.start), slot_of(times.end));
        let rules = [Ruled { id: 0, versions: vec![(from, Some(rule.clone()))] }];
        let mut reading = Reading { session: &mut self.session, lease: None, slicer: &mut self.slicer };
        let stored = Stored { app_id, ..Stored::default() };
        let span = Span { from: from - SLOT, touched: from - SLOT, judged: from - SLOT, until };
        let courses = course::judge(&mut reading, &stored, &rules, Keys::new(), span, &BTreeSet::new())?;
        let mut all: Vec<Would> = Vec::new();
        for ((_, labels), course) in &courses {
            let found = |interval: Interval| course.found.get(&interval.began).cloned();
            let would = |interval| Would { labels: labels.clone(), interval, found: found(interval) };
            all.extend(intervals(&course.changes).into_iter().map(would));
        }
        all.sort_by_key(|would| would.interval.began);
        Ok(all)
    }

    /// What a rule measures of an application and labels at the ends of the slots of a time.
    ///
    /// # Errors
    /// The database cannot be asked, or there are too many series.
    pub fn measure(
        &mut self,
        app_id: i32,
        rule: &Rule,
        labels: &Labels,
        times: &Range<Micros>,
    ) -> anyhow::Result<Vec<(Micros, Option<f64>)>> {
        let (from, until) = (slot_of(times.start), slot_of(times.end));
        let mut reading = Reading { session: &mut self.session, lease: None, slicer: &mut self.slicer };
        let stored = Stored { app_id, ..Stored::default() };
        let counted = stored.counts(&mut reading, &[rule], &(from..until))?;
        let columns = rule.lens.group_by().iter();
        let values = columns.filter_map(|column| labels.get(column.name()).cloned()).collect();
        let mut meter = Meter::new(rule, series_of(&counted, &rule.lens, &values));
        let slots = (0..).map(|n| from + n * SLOT).take_while(|at| *at <= until);
        Ok(slots.map(|at| (at, meter.at(at).value)).collect())
    }
}
