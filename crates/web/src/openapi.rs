//! The OpenAPI 3.1 document and the page `/docs`, made of the table of routes.

use serde_json::{Map, Value, json};

use crate::routes::{Access, Parameter, ROUTES, Route};
use crate::{assets, oidc};

/// The routes of the API. Pages of the dashboard are none of it.
fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| !assets::is_of_dashboard(route.path))
}

/// The document.
pub(crate) fn document(public_url: Option<&str>) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Access Log Tracker",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Statistics and events of the applications of an installation. Times are RFC 3339 with a zone. \
                            Integers beyond 2^53 are texts. Errors are problem documents (RFC 9457).",
        },
        "servers": [{ "url": public_url.unwrap_or("/") }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "alt_… of `alt token add`." },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "alt_session",
                    "description": "Of POST /api/v1/session. What changes something has to come from a page of this server, or with the \
                                    header X-Alt-Request: 1.",
                },
                "share": { "type": "apiKey", "in": "query", "name": "share" },
            },
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": { "type": "string" },
                        "title": { "type": "string" },
                        "status": { "type": "integer" },
                        "detail": { "type": "string", "description": "What to do." },
                    },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = names_in(route.path)
        .map(|name| {
            // A trace has the id that its application gave it; what is kept here has a number.
            let schema = match name == "id" && !route.path.contains("/trace/") {
                true => json!({ "type": "integer", "minimum": 1, "maximum": i32::MAX }),
                false => json!({ "type": "string", "minLength": 1 }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    let visible = route.parameters.iter().filter(|parameter| parameter.name != "share");
    parameters.extend(visible.map(|parameter| {
        let schema = match parameter.is_repeatable {
            true => json!({ "type": "array", "items": schema(parameter), "maxItems": 50 }),
            false => schema(parameter),
        };
        json!({
            "name": parameter.name, "in": "query", "required": parameter.is_required,
            "description": parameter.about, "schema": schema,
        })
    }));
    let success = match route.path {
        oidc::START | oidc::BACK => "303",
        _ if route.method == "POST" && route.changes() => "201",
        _ => "200",
    };
    let mut operation = json!({
        "summary": route.about,
        "description": format!("Needs {}.", route.access.needs()),
        "parameters": parameters,
        "responses": {
            success: { "description": "The answer.", "content": contents(route) },
            "default": {
                "description": "What went wrong, and what to do.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
    });
    operation["security"] = match route.access {
        Access::Open => json!([]),
        Access::Person => json!([{ "session": [] }]),
        Access::Shared(_) => json!([{ "token": [] }, { "session": [] }, { "share": [] }]),
        Access::Token | Access::App(_) | Access::Everything => json!([{ "token": [] }, { "session": [] }]),
    };
    if !route.body.is_empty() {
        let properties: Map<String, Value> = route
            .body
            .iter()
            .map(|member| {
                let mut schema = match member.is_required {
                    true => schema(member),
                    false => json!({ "anyOf": [schema(member), { "type": "null" }] }),
                };
                schema["description"] = json!(member.about);
                (member.name.to_owned(), schema)
            })
            .collect();
        let required: Vec<&str> = route.body.iter().filter(|m| m.is_required).map(|m| m.name).collect();
        let schema = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn contents(route: &Route) -> Value {
    let json = json!({ "schema": { "type": "object" } });
    match route.path {
        "/docs" | oidc::START | oidc::BACK => json!({ "text/html": {} }),
        "/docs.css" => json!({ "text/css": {} }),
        path if path.ends_with(".csv") => json!({ "text/csv": {} }),
        "/api/v1/statistics" | "/api/v1/retention" => json!({ "application/json": json, "text/csv": {} }),
        _ => json!({ "application/json": json }),
    }
}

fn schema(parameter: &Parameter) -> Value {
    serde_json::from_str(parameter.schema).unwrap_or_default()
}

/// The names in a path: `id` of `/shares/{id}`.
pub(crate) fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The page, without scripts and without anything from elsewhere.
pub(crate) fn page() -> String {
    let mut page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width\"><title>API of Access Log Tracker</title>\
        <link rel=\"stylesheet\" href=\"/docs.css\"><h1>API of Access Log Tracker</h1>\
        <p>Send a token with each request: <code>Authorization: Bearer alt_…</code>. <code>alt token add</code> makes one. \
        The same as OpenAPI 3.1: <a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>\
        <pre>curl -H \"Authorization: Bearer $TOKEN\" \
        'https://HOST/api/v1/statistics.csv?application_id=KEY&amp;period=7d&amp;dimension=page'</pre>"
        .to_owned();
    for route in routes() {
        page += &format!(
            "<h2><span class=\"method\">{}</span> <code>{}</code></h2><p>{} <span class=\"needs\">Needs {}.</span></p>",
            route.method,
            route.path,
            code(route.about),
            route.access.needs()
        );
        let rows: Vec<String> = route
            .parameters
            .iter()
            .map(|parameter| ("query", parameter))
            .chain(route.body.iter().map(|member| ("body", member)))
            .map(|(place, one)| {
                let needed = if one.is_required { ", required" } else { "" };
                format!("<tr><td><code>{}</code><td>{place}{needed}<td>{}</tr>", one.name, code(one.about))
            })
            .collect();
        if !rows.is_empty() {
            page += &format!("<table>{}</table>", rows.concat());
        }
    }
    page + "</html>\n"
}

/// What stands between backticks, as code.
fn code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_on_the_page() {
        let (document, page) = (document(None), page());
        for route in routes() {
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            assert!(operation["responses"].is_object(), "{route:?}");
            assert_eq!(operation["security"] == json!([]), route.access == Access::Open, "{route:?}");
            assert!(page.contains(&format!("<code>{}</code>", route.path)), "{route:?}");
            for parameter in route.parameters.iter().chain(route.body) {
                assert!(schema(parameter).is_object(), "{parameter:?}");
            }
            // An application is named in the path, in the query or in the body.
            let named = names_in(route.path).any(|name| name == "application_id")
                || route
                    .parameters
                    .iter()
                    .chain(route.body)
                    .any(|p| ["application_id", "site_id"].contains(&p.name) && p.is_required);
            assert_eq!(named, route.access.has_app(), "{route:?}");
            let takes_share = route.parameters.iter().any(|parameter| parameter.name == "share");
            assert_eq!(takes_share, matches!(route.access, Access::Shared(_)), "{route:?}");
        }
    }
}
