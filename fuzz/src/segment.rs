//! Segments of statistics.

use alt_statistics::query::{Dimension, Means, Part, Query, run};
use alt_statistics::segment::Segment;

/// Bytes of the check sum, which stands behind everything else.
const SUM: usize = 8;

/// A segment; its check sum is put right before.
///
/// What opens and passes its check answers every question, and each event of it is counted or left out.
pub fn segment(data: &[u8]) {
    let mut bytes = data.to_vec();
    if let Some(at) = bytes.len().checked_sub(SUM) {
        let sum = blake3::hash(&bytes[..at]);
        bytes[at..].copy_from_slice(&sum.as_bytes()[..SUM]);
    }
    let Ok(segment) = Segment::open(&bytes) else { return };
    let is_whole = segment.check().is_ok();
    for (_, dimension) in Dimension::ALL {
        let query = Query { dimension: *dimension, ..Query::default() };
        let answer = run(&query, &[Part { day: "2026-01-31", segment: &segment }], &Means::default());
        if let (true, Ok(answer)) = (is_whole, &answer) {
            let left_out: u64 = answer.left_out.values().sum();
            assert_eq!(answer.total.counts.events + left_out, segment.events());
        }
    }
}
