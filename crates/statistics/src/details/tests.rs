//! What events say, by example.

use super::*;

fn said(event_type: &'static str, params: &'static str) -> Details<'static> {
    Details::of(&Event { event_type, params, ..Event::default() }, &[]).unwrap()
}

fn bought(params: &'static str) -> (Said, Said, Currency) {
    let event =
        Event { event_type: "order", entity_type: "product", entity_id: "17", params, ..Event::default() };
    let details = Details::of(&event, &[]).unwrap();
    (details.quantity, details.revenue, details.currency)
}

#[test]
fn clicks_say_their_text_or_else_their_element() {
    let click = said("click", r#"{"text": "Buy now", "custom": {"href": "/buy"}, "element": "button#buy"}"#);
    assert_eq!((&*click.label, &*click.target), ("Buy now", "/buy"));
    assert_eq!(said("click", r#"{"text": "", "element": "svg"}"#).label, "svg");
    assert_eq!(
        said("download", r#"{"custom": {"download": "https://a.example/b.pdf"}}"#).target,
        "https://a.example/b.pdf"
    );
    assert_eq!(said("outbound", r#"{"text": "x", "custom": {"link": "https://a.example/"}}"#).label, "");
    assert_eq!(said("pageview", r#"{"custom": {"href": "/buy"}}"#).target, "");
}

#[test]
fn hosts_of_outbound_links() {
    for (target, wanted) in [
        ("https://www.Example.com:8443/a?b@c#d", "example.com"),
        ("https://bob:secret@t.co", "t.co"),
        ("HTTP://a.example?x", "a.example"),
        ("http://[::1]:80/", "[::1]"),
        ("mailto:bob@example.com", "mailto:bob@example.com"),
        ("https:///x", "https:///x"),
        ("//a.example/", "//a.example/"),
        ("1x://a", "1x://a"),
        ("", ""),
    ] {
        assert_eq!(host(target), wanted, "{target}");
    }
}

#[test]
fn searches_have_a_term_and_results() {
    let search = |results: &str| {
        let params = format!(r#"{{"search_term": "red shoes", "result_count": {results}}}"#);
        let event = Event { event_type: "search", params: &params, ..Event::default() };
        let details = Details::of(&event, &[]).unwrap();
        assert_eq!(details.search, "red shoes");
        details.results
    };
    for (json, results) in [
        ("7", Some(7)),
        ("\"7\"", Some(7)),
        ("0", Some(0)),
        ("null", None),
        ("-1", None),
        ("1.5", None),
        ("1e400", None),
    ] {
        assert_eq!(search(json), results, "{json}");
    }
}

#[test]
fn what_an_event_is_worth() {
    let eur = Currency::read("eur").unwrap();
    let number = |text| Said::read(text);
    for (event_type, params, revenue, currency) in [
        ("order", r#"{"custom": {"total": 59.9, "currency": "eur"}}"#, number("59.9"), eur),
        ("order", r#"{"custom": {"total": "59.90", "currency": "EUR"}}"#, number("59.9"), eur),
        ("purchase", r#"{"custom": {"value": 5}}"#, number("5"), Currency::default()),
        ("order", r#"{"custom": {"total": 5, "revenue": 4, "value": 3}}"#, number("4"), Currency::default()),
        ("order", r#"{"custom": {"total": -5}}"#, number("-5"), Currency::default()),
        ("signup", r#"{"custom": {"total": 5}}"#, Said::Nothing, Currency::default()),
        ("signup", r#"{"custom": {"revenue": 5}}"#, number("5"), Currency::default()),
        ("cart_update", r#"{"custom": {"revenue": 5}}"#, Said::Nothing, Currency::default()),
        ("order", r#"{"custom": {"total": "NaN"}}"#, Said::Unread, Currency::default()),
        ("order", r#"{"custom": {"total": [5, 6]}}"#, Said::Unread, Currency::default()),
        ("order", r#"{"custom": {"total": 5, "currency": "Euro"}}"#, Said::Unread, Currency::default()),
        ("order", r#"{"custom": {"currency": "Euro"}}"#, Said::Nothing, Currency::default()),
    ] {
        let details = said(event_type, params);
        assert_eq!((details.revenue, details.currency), (revenue, currency), "{event_type} {params}");
    }
}

#[test]
fn an_order_of_a_product_is_worth_price_times_quantity() {
    let none = Currency::default();
    let number = Said::read;
    assert_eq!(
        bought(r#"{"custom": {"price": 19.99, "quantity": 3}}"#),
        (number("3"), number("59.97"), none)
    );
    assert_eq!(bought(r#"{"custom": {"price": 19.99}}"#), (number("1"), number("19.99"), none));
    assert_eq!(bought(r#"{"custom": {"price": 19.99, "revenue": 5}}"#), (number("1"), number("5"), none));
    assert_eq!(
        bought(r#"{"custom": {"price": 19.99, "quantity": "many"}}"#),
        (Said::Unread, Said::Unread, none)
    );
    assert_eq!(bought(r#"{"custom": {"quantity": 2}}"#), (number("2"), Said::Nothing, none));
}

#[test]
fn properties_are_the_own_parameters_or_columns_of_their_names() {
    let event = Event {
        event_type: "pageview",
        module_id: "checkout",
        params: r#"{"plan": "no", "custom": {"plan": "pro", "module_id": "x", "tags": ["a", "b"]}}"#,
        ..Event::default()
    };
    let names = ["plan", "module_id", "tags", "absent"].map(str::to_owned);
    assert_eq!(Details::of(&event, &names).unwrap().properties, ["pro", "checkout", r#"["a", "b"]"#, ""]);
    assert_eq!(Details::of(&Event::default(), &names), None);
}

#[test]
fn numbers_and_currencies_come_back_from_what_is_stored() {
    for said in [
        Said::Nothing,
        Said::Unread,
        Said::Number(0),
        Said::Number(-1),
        Said::read("999999999999.999999"),
        Said::read("-999999999999.999999"),
    ] {
        assert_eq!(Said::of_stored(said.stored()), said);
    }
    for code in ["", "AAA", "EUR", "ZZZ"] {
        let currency = Currency::read(code).unwrap();
        assert_eq!(Currency::of_number(currency.number()), Some(currency));
        assert_eq!(currency.to_string(), code);
    }
    assert_eq!(Currency::of_number(2 + 26 * 26 * 26), None);
    assert_eq!(Currency::of_number(0), None);
}
