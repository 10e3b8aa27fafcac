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
    path == "/" || path == "/sign-in" || path == "/share" || path.starts_with("/applications/")
}

/// Whether a path is the dashboard's, and not the API's, whose document leaves it out.
pub(crate) fn is_of_dashboard(path: &str) -> bool {
    is_page(path) || path.starts_with("/assets/")
}

/// The `Content-Security-Policy` of a page.
pub(crate) fn policy(path: &str) -> Option<&'static str> {
    is_page(path).then_some(POLICY)
}

/// A page.
pub(crate) async fn page(_web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(Answer::of(Content::Html(include_str!("../assets/index.html").to_owned())))
}

/// `GET /assets/app.js`.
pub(crate) async fn script(_web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(file("text/javascript; charset=utf-8", include_str!("../assets/app.js")))
}

/// `GET /assets/style.css`.
pub(crate) async fn style(_web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(file("text/css; charset=utf-8", include_str!("../assets/style.css")))
}

/// `GET /assets/icon.svg`.
pub(crate) async fn icon(_web: &Web, _asked: &Asked) -> Result<Answer, Problem> {
    Ok(file("image/svg+xml", include_str!("../assets/icon.svg")))
}

fn file(kind: &'static str, text: &'static str) -> Answer {
    Answer::of(Content::File(kind, text))
}
