//! What single events say: what was clicked, searched for, bought and for how much, and the properties that an application
//! has chosen. docs/STATISTICS.md has the definitions.

mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use crate::decimal::{self, Decimal};
use crate::event::Event;

/// The most properties of an application.
pub const PROPERTIES_MAX: usize = 30;

/// The longest name of a property, bytes.
pub const PROPERTY_MAX: usize = 60;

/// Whether events of a type put something into a cart.
pub(crate) fn is_cart(event_type: &str) -> bool {
    matches!(event_type, "cart_add" | "add_to_cart")
}

/// Whether events of a type are orders.
pub(crate) fn is_order(event_type: &str) -> bool {
    matches!(event_type, "order" | "purchase")
}

/// A currency: three letters, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Of three ASCII letters; `""` is none.
    pub(crate) fn read(text: &str) -> Option<Currency> {
        match text.as_bytes() {
            [] => Some(Currency::default()),
            [a, b, c] if text.bytes().all(|letter| letter.is_ascii_alphabetic()) => {
                Some(Currency([*a, *b, *c].map(|letter| letter.to_ascii_uppercase())))
            }
            _ => None,
        }
    }

    /// Its number in a segment, from 1.
    pub(crate) fn number(self) -> u64 {
        if self == Currency::default() {
            return 1;
        }
        self.0.iter().fold(0, |number, letter| number * 26 + u64::from(letter - b'A')) + 2
    }

    /// The currency of a number that [`Currency::number`] gave.
    pub(crate) fn of_number(number: u64) -> Option<Currency> {
        let mut rest = match number {
            1 => return Some(Currency::default()),
            number => number.checked_sub(2)?,
        };
        let mut letters = [0; 3];
        for letter in letters.iter_mut().rev() {
            *letter = b'A' + u8::try_from(rest % 26).unwrap_or(0);
            rest /= 26;
        }
        (rest == 0).then_some(Currency(letters))
    }

    /// The letters; `""` of none.
    pub fn as_str(&self) -> &str {
        if self.0 == [0; 3] { "" } else { str::from_utf8(&self.0).unwrap_or("") }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A number that an event says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Said {
    /// None.
    #[default]
    Nothing,
    /// Something that is no number, or none that counts.
    Unread,
    /// Millionths.
    Number(i64),
}

impl Said {
    pub(crate) fn read(text: &str) -> Said {
        match text {
            "" => Said::Nothing,
            text => decimal::millionths(text).map_or(Said::Unread, Said::Number),
        }
    }

    /// As it is stored in a segment: 0 is nothing, 1 what is no number; then 0, −1, 1, −2 … millionths.
    pub(crate) fn stored(self) -> u64 {
        match self {
            Said::Nothing => 0,
            Said::Unread => 1,
            Said::Number(number) => ((number << 1) ^ (number >> 63)).cast_unsigned().saturating_add(2),
        }
    }

    /// What [`Said::stored`] gave.
    pub(crate) fn of_stored(stored: u64) -> Said {
        match stored {
            0 => Said::Nothing,
            1 => Said::Unread,
            stored => {
                let number = stored - 2;
                Said::Number((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
            }
        }
    }

    /// The number, if it is one.
    pub(crate) fn number(self) -> Option<Decimal> {
        match self {
            Said::Number(millionths) => Some(Decimal::of_millionths(millionths)),
            Said::Nothing | Said::Unread => None,
        }
    }
}

/// What an event says. Texts are `""` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Details<'e> {
    /// What was clicked: its text, or else the element.
    pub(crate) label: Cow<'e, str>,
    /// Where a click, an outbound link or a download leads to.
    pub(crate) target: Cow<'e, str>,
    pub(crate) search: Cow<'e, str>,
    /// How many results a search had.
    pub(crate) results: Option<u32>,
    pub(crate) product: Cow<'e, str>,
    pub(crate) product_name: Cow<'e, str>,
    pub(crate) category: Cow<'e, str>,
    /// How much of the product an order has.
    pub(crate) quantity: Said,
    /// What the event is worth.
    pub(crate) revenue: Said,
    pub(crate) currency: Currency,
    /// The values of properties, in the order of their names.
    pub(crate) properties: Vec<Cow<'e, str>>,
}

/// The parameters of an event that details are read from: texts, as `->>` gives them.
#[derive(Default)]
struct Parameters<'e> {
    text: Cow<'e, str>,
    element: Cow<'e, str>,
    search_term: Cow<'e, str>,
    result_count: Cow<'e, str>,
    // The site's own.
    href: Cow<'e, str>,
    download: Cow<'e, str>,
    link: Cow<'e, str>,
    name: Cow<'e, str>,
    category: Cow<'e, str>,
    quantity: Cow<'e, str>,
    price: Cow<'e, str>,
    revenue: Cow<'e, str>,
    total: Cow<'e, str>,
    value: Cow<'e, str>,
    currency: Cow<'e, str>,
}

/// The first of these that is not empty.
fn first<'e, const N: usize>(texts: [Cow<'e, str>; N]) -> Cow<'e, str> {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

impl<'e> Parameters<'e> {
    /// Reads `params`; and passes the site's own on.
    fn read(params: &'e str, mut own: impl FnMut(&str, &'e str)) -> Parameters<'e> {
        let mut all = Parameters::default();
        for (name, value) in json::members(params) {
            match &*name {
                "text" => all.text = json::text(value),
                "element" => all.element = json::text(value),
                "search_term" => all.search_term = json::text(value),
                "result_count" => all.result_count = json::text(value),
                "custom" => {
                    for (name, value) in json::members(value) {
                        all.own(&name, value);
                        own(&name, value);
                    }
                }
                _ => {}
            }
        }
        all
    }

    fn own(&mut self, name: &str, value: &'e str) {
        let place = match name {
            "href" => &mut self.href,
            "download" => &mut self.download,
            "link" => &mut self.link,
            "name" => &mut self.name,
            "category" => &mut self.category,
            "quantity" => &mut self.quantity,
            "price" => &mut self.price,
            "revenue" => &mut self.revenue,
            "total" => &mut self.total,
            "value" => &mut self.value,
            "currency" => &mut self.currency,
            _ => return,
        };
        *place = json::text(value);
    }
}

/// Whether a property is a column of the rows, and not one of the site's own parameters.
fn column<'e>(event: &Event<'e>, property: &str) -> Option<&'e str> {
    match property {
        "client_sub_id" => Some(event.client_sub_id),
        "module_id" => Some(event.module_id),
        "entity_type" => Some(event.entity_type),
        "entity_id" => Some(event.entity_id),
        _ => None,
    }
}

impl<'e> Details<'e> {
    /// What an event says, if it says anything. `properties` are the names of those that the application has chosen.
    pub(crate) fn of(event: &Event<'e>, properties: &[String]) -> Option<Details<'e>> {
        let has_columns = !event.entity_id.is_empty()
            || !event.client_sub_id.is_empty()
            || !event.module_id.is_empty()
            || !event.entity_type.is_empty();
        if event.params.is_empty() && !has_columns {
            return None;
        }
        let columns = properties.iter().map(|name| column(event, name).unwrap_or("").into());
        let mut details = Details { properties: columns.collect(), ..Details::default() };
        let parameters = Parameters::read(event.params, |name, value| {
            let at = properties.iter().position(|property| property == name);
            if let Some(at) = at.filter(|_| column(event, name).is_none()) {
                details.properties[at] = json::text(value);
            }
        });
        details.fill(event, parameters);
        Some(details)
    }

    fn fill(&mut self, event: &Event<'e>, all: Parameters<'e>) {
        match event.event_type {
            "click" => {
                self.label = first([all.text, all.element]);
                self.target = all.href;
            }
            "outbound" | "download" => self.target = first([all.href, all.download, all.link]),
            "search" => {
                self.search = all.search_term;
                let is_number =
                    all.result_count.len() <= 9 && all.result_count.bytes().all(|d| d.is_ascii_digit());
                self.results = all.result_count.parse().ok().filter(|_| is_number);
            }
            _ => {}
        }
        let is_order = is_order(event.event_type);
        let is_product = event.entity_type == "product" && !event.entity_id.is_empty();
        let (mut quantity, mut of_price) = (Said::Nothing, Said::Nothing);
        if is_product && is_order {
            quantity = match Said::read(&all.quantity) {
                Said::Nothing => Said::Number(Decimal::ONE),
                said => said,
            };
            of_price = match (Said::read(&all.price), quantity) {
                (Said::Nothing, _) => Said::Nothing,
                (Said::Number(price), Said::Number(quantity)) => {
                    decimal::product(price, quantity).map_or(Said::Unread, Said::Number)
                }
                _ => Said::Unread,
            };
        }
        self.quantity = quantity;
        let revenue = if is_order { first([all.revenue, all.total, all.value]) } else { all.revenue };
        self.revenue = match Said::read(&revenue) {
            // What is in a cart is not sold.
            _ if event.event_type.contains("cart") => Said::Nothing,
            Said::Nothing => of_price,
            said => said,
        };
        match Currency::read(&all.currency) {
            Some(currency) => self.currency = currency,
            // Amounts of nobody knows what are added to nothing.
            None if self.revenue != Said::Nothing => self.revenue = Said::Unread,
            None => {}
        }
        if is_product {
            self.product = event.entity_id.into();
            self.product_name = all.name;
            self.category = all.category;
        }
    }
}

/// Where an outbound link leads to: its host in small letters, without port and `www.`; the whole address if it has none.
pub(crate) fn host(target: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = target.split_once("://") else { return target.into() };
    let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let without = host.trim_end_matches(|c: char| c.is_ascii_digit());
    let host = without.strip_suffix(':').unwrap_or(host).to_ascii_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    if is_scheme && !host.is_empty() { host.to_owned().into() } else { target.into() }
}
