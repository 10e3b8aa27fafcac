//! What events say, by the definitions of docs/STATISTICS.md and a parser of JSON, to compare with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::decimal::Decimal;
use crate::details::Currency;
use crate::event::Event;
use crate::query::{Amounts, Dimension, Property, Tally};

/// The property that tests sum.
pub(in crate::query) const SUMMED: &str = "points";

/// As `->>` gives it; `""` of what is not there.
fn text(json: Option<&Value>) -> String {
    match json {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

thread_local! {
    /// What was read before: few texts are different ones.
    static KNOWN: RefCell<BTreeMap<String, Rc<Value>>> = RefCell::default();
}

fn params(event: &Event<'_>) -> Rc<Value> {
    let read =
        || if event.params.is_empty() { Value::Null } else { serde_json::from_str(event.params).unwrap() };
    KNOWN.with_borrow_mut(|known| {
        Rc::clone(known.entry(event.params.to_owned()).or_insert_with(|| Rc::new(read())))
    })
}

fn is_of(pattern: &LazyLock<Regex>, text: &str) -> bool {
    pattern.is_match(text)
}

static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^-?[0-9]{1,12}(\.[0-9]{1,6}0*)?$").unwrap());
static WHOLE: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[0-9]{1,9}$").unwrap());
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[A-Z]{3}$").unwrap());
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?([^/?#]*?)(?::[0-9]*)?(?:[/?#]|$)").unwrap()
});

fn own(event: &Event<'_>, name: &str) -> String {
    text(params(event).get("custom").and_then(|own| own.get(name)))
}

/// Exact numbers have at most 12 digits and 6 behind the point.
fn number(text: &str) -> Option<i128> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    is_of(&NUMBER, text).then(|| format!("{whole}{:0<6.6}", rest).parse().unwrap())
}

/// The currency and what an event is worth; the first `None`: it is worth nothing, the second: that is no number.
pub(super) fn worth(event: &Event<'_>, is_view: bool) -> Option<Option<(String, i128)>> {
    let kind = event.event_type;
    if kind.contains("cart") || kind == "pageview" && !is_view {
        return None;
    }
    let is_order = ["order", "purchase"].contains(&kind);
    let named = if is_order { &["revenue", "total", "value"][..] } else { &["revenue"] };
    let said = named.iter().map(|name| own(event, name)).find(|said| !said.is_empty());
    let price = own(event, "price");
    let worth = match said {
        Some(said) => number(&said),
        None if is_order && is_product(event) && !price.is_empty() => number(&price)
            .zip(quantity(event)?)
            .map(|(price, quantity)| price * quantity)
            .and_then(|product| {
                let most = 10_i128.pow(18);
                (product % 1_000_000 == 0 && (product / 1_000_000).abs() < most)
                    .then_some(product / 1_000_000)
            }),
        None => return None,
    };
    let currency = own(event, "currency").to_ascii_uppercase();
    let is_code = currency.is_empty() || is_of(&CODE, &currency);
    Some(worth.filter(|_| is_code).map(|worth| (currency, worth)))
}

fn is_product(event: &Event<'_>) -> bool {
    event.entity_type == "product" && !event.entity_id.is_empty()
}

/// The first `None`: it orders no product.
fn quantity(event: &Event<'_>) -> Option<Option<i128>> {
    let is_order = ["order", "purchase"].contains(&event.event_type);
    let said = own(event, "quantity");
    (is_order && is_product(event)).then(|| if said.is_empty() { Some(1_000_000) } else { number(&said) })
}

pub(super) fn value(event: &Event<'_>, is_view: bool, dimension: Dimension) -> Option<String> {
    if dimension == Dimension::Currency {
        let said = own(event, "currency").to_ascii_uppercase();
        let is_said = is_of(&CODE, &said);
        return worth(event, is_view).flatten().map(|(currency, _)| currency).or(is_said.then_some(said));
    }
    use Dimension as D;
    let of = |kind: &str, text: String| if event.event_type == kind { text } else { String::new() };
    let param = |name: &str| text(params(event).get(name));
    let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let target = || first([own(event, "href"), own(event, "download"), own(event, "link")]);
    let of_product = |text: String| if is_product(event) { text } else { String::new() };
    let value = match dimension {
        D::Click => of("click", first([param("text"), param("element"), String::new()])),
        D::ClickTarget => of("click", own(event, "href")),
        D::Outbound => {
            let target = of("outbound", target());
            let host = HOST.captures(&target).map(|found| found[1].to_ascii_lowercase()).unwrap_or_default();
            let host = host.strip_prefix("www.").unwrap_or(&host).to_owned();
            if host.is_empty() { target } else { host }
        }
        D::OutboundTarget => of("outbound", target()),
        D::Download => of("download", target()),
        D::Search => of("search", param("search_term")),
        D::Product => of_product(event.entity_id.to_owned()),
        D::ProductName => of_product(own(event, "name")),
        D::Category => of_product(own(event, "category")),
        D::Property(name) => match &*name {
            "module_id" => event.module_id.to_owned(),
            name if super::PROPERTIES.contains(&name) => own(event, name),
            _ => String::new(),
        },
        _ => String::new(),
    };
    (!value.is_empty()).then_some(value)
}

/// Adds what an event says.
pub(super) fn add(event: &Event<'_>, is_view: bool, of_goal: Option<Property>, tally: &mut Tally) {
    if event.params.is_empty() && !["cart_add", "order", "purchase"].contains(&event.event_type) {
        return;
    }
    let mut all = Amounts::default();
    let decimal = |number: i128| Decimal::of_millionths(number.try_into().unwrap());
    let mut is_unread = false;
    let worth = match of_goal {
        None => worth(event, is_view),
        Some(property) => {
            let said = own(event, &property);
            let is_known = super::PROPERTIES.contains(&&*property);
            let currency = own(event, "currency").to_ascii_uppercase();
            let currency = if is_of(&CODE, &currency) { currency } else { String::new() };
            (is_known && !said.is_empty()).then(|| number(&said).map(|number| (currency, number)))
        }
    };
    match worth {
        None => {}
        Some(None) => is_unread = true,
        Some(Some((currency, worth))) => {
            let amount = all.revenue.entry(Currency::read(&currency).unwrap()).or_default();
            (amount.events, amount.sum) = (1, decimal(worth));
        }
    }
    let summed = own(event, SUMMED);
    for (said, amount) in
        [(quantity(event), &mut all.quantity), ((!summed.is_empty()).then(|| number(&summed)), &mut all.sum)]
    {
        match said {
            None => {}
            Some(None) => is_unread = true,
            Some(Some(number)) => (amount.events, amount.sum) = (1, decimal(number)),
        }
    }
    all.unread = u64::from(is_unread);
    all.cart_adds = u64::from(event.event_type == "cart_add");
    all.orders = u64::from(["order", "purchase"].contains(&event.event_type));
    let results = text(params(event).get("result_count"));
    if event.event_type == "search" && is_of(&WHOLE, &results) {
        (all.results.events, all.results.sum) = (1, Decimal::of_whole(results.parse().unwrap()));
        all.empty_searches = u64::from(results.chars().all(|digit| digit == '0'));
    }
    if all != Amounts::default() {
        tally.amounts.get_or_insert_default().add(&all);
    }
}
