//! What single events say, while a segment is written. Few events say anything: what is kept is the row and what it says, and
//! columns are made of it at the end.

use std::collections::BTreeMap;

use super::Bounds;
use super::codec::{self, Packed};
use super::columns::{self as c, Table, Valued};
use crate::details::{Currency, Details, PROPERTIES_MAX, Said};
use crate::values::Texts;

/// A column of a table: of each row that says something, the number of the row and what is stored.
#[derive(Debug)]
struct Kept<V> {
    table: Table,
    rows: Vec<(u32, V)>,
}

/// What events of a segment say.
#[derive(Debug)]
pub(super) struct Values {
    /// Numbers of texts, by column.
    texts: BTreeMap<u16, Kept<u32>>,
    /// Other numbers, by column.
    numbers: BTreeMap<u16, Kept<u64>>,
    dictionaries: BTreeMap<u16, Texts>,
    /// Names of properties.
    names: Vec<String>,
    /// Bytes of all texts, and the most of them.
    bytes: usize,
    most: usize,
    /// The most texts of a dictionary.
    texts_most: usize,
}

impl Values {
    /// With room for so many bytes of texts.
    pub(super) fn new(names: &[String], bounds: &Bounds, text_left: usize) -> Values {
        Values {
            texts: BTreeMap::new(),
            numbers: BTreeMap::new(),
            dictionaries: BTreeMap::new(),
            names: names.iter().take(PROPERTIES_MAX).cloned().collect(),
            bytes: 0,
            most: bounds.value_bytes.min(text_left),
            texts_most: bounds.values,
        }
    }

    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds what a page view says.
    pub(super) fn view(&mut self, row: usize, details: &Details<'_>) {
        self.both(row, Table::Views, details);
        self.money(row, Table::Views, details.revenue, details.currency);
    }

    /// Adds what another event says. What a copy of a page view is worth does not count again.
    pub(super) fn other(&mut self, row: usize, kind: &str, details: &Details<'_>) {
        self.both(row, Table::Others, details);
        let target = match kind {
            "click" => c::CLICK_TARGET,
            "outbound" => c::OUTBOUND,
            _ => c::DOWNLOAD,
        };
        for (column, text) in
            [(c::LABEL, &details.label), (target, &details.target), (c::SEARCH, &details.search)]
        {
            self.text(row, Table::Others, column, text);
        }
        self.number(
            row,
            Table::Others,
            c::RESULTS,
            details.results.map_or(0, |results| u64::from(results) + 1),
        );
        self.number(row, Table::Others, c::QUANTITY, details.quantity.stored());
        let revenue = if kind == "pageview" { Said::Nothing } else { details.revenue };
        self.money(row, Table::Others, revenue, details.currency);
    }

    /// Adds what events of both tables say.
    fn both(&mut self, row: usize, table: Table, details: &Details<'_>) {
        for (column, text) in [
            (c::PRODUCT, &details.product),
            (c::PRODUCT_NAME, &details.product_name),
            (c::CATEGORY, &details.category),
        ] {
            self.text(row, table, column, text);
        }
        for (n, text) in details.properties.iter().enumerate() {
            self.text(row, table, c::property(n), text);
        }
    }

    fn money(&mut self, row: usize, table: Table, revenue: Said, currency: Currency) {
        self.number(row, table, c::REVENUE, revenue.stored());
        if matches!(revenue, Said::Number(_)) || currency != Currency::default() {
            self.number(row, table, c::CURRENCY, currency.number());
        }
    }

    /// 0 is none, 1 a text that had no room, and the first text has number 2.
    fn text(&mut self, row: usize, table: Table, column: Valued, text: &str) {
        let (Some(id), false) = (column.of(table), text.is_empty()) else { return };
        let left = self.most - self.bytes;
        let most = self.texts_most;
        let dictionary =
            self.dictionaries.entry(column.dictionary).or_insert_with(|| Texts::new(most, usize::MAX));
        let before = dictionary.bytes();
        let number = dictionary.id_within(text, left);
        self.bytes += dictionary.bytes() - before;
        let kept = self.texts.entry(id).or_insert_with(|| Kept { table, rows: Vec::new() });
        kept.rows.extend(u32::try_from(row).ok().map(|row| (row, number + 1)));
    }

    fn number(&mut self, row: usize, table: Table, column: Valued, number: u64) {
        let (Some(id), true) = (column.of(table), number > 0) else { return };
        let kept = self.numbers.entry(id).or_insert_with(|| Kept { table, rows: Vec::new() });
        kept.rows.extend(u32::try_from(row).ok().map(|row| (row, number)));
    }

    /// Its columns. `rows` are those of each table.
    pub(super) fn pack(&self, rows: &[usize]) -> Vec<(u16, u8, Packed)> {
        let mut columns = Vec::new();
        for (id, kept) in &self.texts {
            let all = kept.rows.iter().map(|(row, number)| (*row, u64::from(*number)));
            columns.push((*id, kept.table as u8, dense(all, rows[kept.table as usize])));
        }
        for (id, kept) in &self.numbers {
            columns.push((
                *id,
                kept.table as u8,
                dense(kept.rows.iter().copied(), rows[kept.table as usize]),
            ));
        }
        for (id, dictionary) in &self.dictionaries {
            columns.push((*id, 255, codec::pack_texts(&dictionary.in_order())));
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        columns.push((c::PROPERTIES, 255, codec::pack_texts(&names)));
        columns
    }
}

/// A column in which most rows are 0.
fn dense(kept: impl Iterator<Item = (u32, u64)>, rows: usize) -> Packed {
    let mut all = vec![0; rows];
    for (row, number) in kept {
        if let Some(place) = all.get_mut(row as usize) {
            *place = number;
        }
    }
    codec::pack(all.iter().copied())
}
