//! The dashboard: files that are made of `web/` and built in. Every page is the same document; its script reads the address
//! and asks the API as any other client does, so that no page shows more than its reader may ask for.

use crate::Web;
use crate::ask::{Answer, Asked, Content};
use crate::problem::Problem;

/// Nothing but the dashboard's own files may run, and it asks nobody but this server. What a script sets by the CSSOM, such
/// as the width of a bar, needs no `unsafe-inline`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a path is a page of the dashboard. Its parameters are its script's business: a link that came by mail may have more of
/// them.
pub(crate) fn is_page(path: &str) -> bool {
    path == "/"
        || path == "/sign-in"
        || path == "/share"
        || path == "/system"
        || path == "/alerts"
        || path == "/alerts/{id}"
        || path.starts_with("/applications/")
}

/// Whether a path is the dashboard's, and not the API's, whose document leaves it out.
pub(crate) fn is_of_dashboard(path: &str) -> bool {
    is_page(path) || path.starts_with("/assets/")
}

/// The `Content-Security-Policy` of a page.
pub(crate) fn policy(path: &str) -> Option<&'static str> {
    is_page(path).then_some(POLICY)
}

/// The pages of an application besides its statistics (`PAGES` in `web/src/view.ts`).
const PAGES: &[&str] =
    &["live", "funnel", "journey", "retention", "panels", "visits", "search", "alerts", "settings"];

/// A page.
pub(crate) async fn page(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let named = asked.part("page");
    if !named.is_empty() && !PAGES.contains(&named) {
        return Err(Problem::not_found(format!("the pages of an application are {}", PAGES.join(", "))));
    }
    // The browser loads the page's own script beside the one that asks for it.
    let script = match named {
        "funnel" | "journey" => "funnel-journey.js",
        "retention" => "retention.js",
        "visits" | "search" => "rows.js",
        "settings" => "manage.js",
        "alerts" => "alerts.js",
        "live" => "live.js",
        "panels" => "panels.js",
        _ if asked.path.is_empty() && asked.parameter("share").is_none() => "all.js",
        _ => "statistics.js",
    };
    Ok(Answer::of(Content::Html(include_str!("../assets/index.html").replace("statistics.js", script))))
}

macro_rules! files {
    ($($name:literal)*) => {
        /// Files by their names.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../assets/", $name))),)*];
    };
}

files! {
    "app.js" "core.js" "states.js" "statistics.js" "all.js" "chart.js" "panel.js" "values.js" "properties.js" "panels.js" "panelform.js" "live.js" "signin.js" "frame.js" "funnel-journey.js" "rows.js" "manage.js" "system.js" "style.css" "icon.svg"
    "alerts.js" "alert.js" "lists.js" "rules.js" "bits.js"
    "en.js" "de.js" "ja.js" "ko.js" "more-en.js" "more-de.js" "more-ja.js" "more-ko.js"
    "alerts-en.js" "alerts-de.js" "alerts-ja.js" "alerts-ko.js" "alert-en.js" "alert-de.js" "alert-ja.js" "alert-ko.js"
    "silences.js" "silences-en.js" "silences-de.js" "silences-ja.js" "silences-ko.js"
    "lists-en.js" "lists-de.js" "lists-ja.js" "lists-ko.js" "rules-en.js" "rules-de.js" "rules-ja.js" "rules-ko.js"
    "retention.js" "retention-en.js" "retention-de.js" "retention-ja.js" "retention-ko.js"
    "segment.js" "segment-en.js" "segment-de.js" "segment-ja.js" "segment-ko.js"
    "custom.js" "help.js" "help-en.js" "help-de.js" "help-ja.js" "help-ko.js"
    "numbers-en.js" "numbers-de.js" "numbers-ja.js" "numbers-ko.js"
    "signin-en.js" "signin-de.js" "signin-ja.js" "signin-ko.js"
    "panels-en.js" "panels-de.js" "panels-ja.js" "panels-ko.js"
    "panelform-en.js" "panelform-de.js" "panelform-ja.js" "panelform-ko.js"
    "properties-en.js" "properties-de.js" "properties-ja.js" "properties-ko.js"
}

/// `GET /assets/{file}`.
pub(crate) async fn file(_web: &Web, asked: &Asked) -> Result<Answer, Problem> {
    let wanted = asked.part("file");
    let Some((name, text)) = FILES.iter().find(|(name, _)| *name == wanted) else {
        return Err(Problem::not_found("the dashboard has no such file"));
    };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    Ok(Answer::of(Content::File(kind, text)))
}
