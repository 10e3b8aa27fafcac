//! The one table of what can be asked, and by whom. The server, the OpenAPI document, the page `/docs` and the test of every
//! route with every kind of caller are made of it.

use std::pin::Pin;

use alt_store::web::caller::Role;

use crate::ask::{Answer, Asked};
use crate::problem::Problem;
use crate::{
    Web, alerts, annotations, assets, channels, exclusions, funnel, goals, health, manage, metrics, oidc,
    panels, plausible, reports, retention, rules, saved, search, session, silences, statistics, visits,
};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Every token, and every person who is signed in. No share.
    Token,
    /// A person who is signed in. No token, no share.
    Person,
    /// A token, or a person, with at least this role with the application of the request. No share.
    App(Role),
    /// As [`Access::App`], and shares of the application.
    Shared(Role),
    /// A token, or a person, that may do everything with everything. No share.
    Everything,
}

impl Access {
    /// As people read it.
    pub fn needs(self) -> String {
        match self {
            Access::Open => "nothing".to_owned(),
            Access::Token => "a token".to_owned(),
            Access::Person => "a person who is signed in".to_owned(),
            Access::App(role) => format!("a token with the role {} of the application", role.as_str()),
            Access::Shared(role) => {
                format!("a token with the role {} of the application, or a share of it", role.as_str())
            }
            Access::Everything => "a token with the role owner of all applications".to_owned(),
        }
    }

    /// Whether the request is about an application.
    pub fn has_app(self) -> bool {
        matches!(self, Access::App(_) | Access::Shared(_))
    }
}

/// A parameter of the query, or a member of the body.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its schema (JSON Schema).
    pub schema: &'static str,
    /// A request without it is refused.
    pub is_required: bool,
    /// It may be given several times.
    pub is_repeatable: bool,
}

/// Answers an allowed request.
pub(crate) type Handler =
    for<'a> fn(&'a Web, &'a Asked) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send + 'a>>;

/// What can be asked.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with `{name}` for its variable parts.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    /// What it answers.
    pub about: &'static str,
    /// Parameters of the query.
    pub parameters: &'static [Parameter],
    /// Members of the body.
    pub body: &'static [Parameter],
    /// It changes nothing, although it has a body.
    pub is_question: bool,
    /// It changes nothing that has to be recorded in `audit_log`: it adds data that says by itself who sent it, or gives what ends
    /// by itself.
    pub is_data: bool,
    pub(crate) handler: Handler,
}

impl Route {
    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        self.method != "GET" && !self.is_question
    }

    /// The parameter of its query with this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

const fn optional(name: &'static str, about: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, about, schema, is_required: false, is_repeatable: false }
}

const fn required(name: &'static str, about: &'static str, schema: &'static str) -> Parameter {
    Parameter { name, about, schema, is_required: true, is_repeatable: false }
}

const NUMBERS: &str = r#"{"type":"object","additionalProperties":{"type":"number","minimum":-999999999999,"maximum":999999999999},"minProperties":1,"maxProperties":50}"#;
const KIND: &str = r#"{"type":"string","enum":["address","country","path","host"]}"#;
const SHORT: &str = r#"{"type":"string","minLength":1,"maxLength":100}"#;
const TEXT: &str = r#"{"type":"string"}"#;
const NAME: &str = r#"{"type":"string","minLength":1,"maxLength":200}"#;
const PROPERTIES: &str =
    r#"{"type":"array","items":{"type":"string","minLength":1,"maxLength":60},"maxItems":30}"#;
const TIME: &str = r#"{"type":"string","format":"date-time"}"#;
const DAYS: &str = r#"{"type":"integer","minimum":1,"maximum":36500}"#;
const CURRENT: Parameter = optional("current", "The password until now, if there is one.", TEXT);
const APP: Parameter = required("application_id", "The id (public key) of the application.", TEXT);
const SHARE: Parameter = optional("share", "The secret of a share, in place of a token.", TEXT);
const CURSOR: Parameter = optional("cursor", "`next` of the answer before.", TEXT);
const FROM: Parameter = optional("from", "The first time.", TIME);
const UNTIL: Parameter = optional("until", "The last time.", TIME);
const ROWS: Parameter =
    optional("limit", "The most rows.", r#"{"type":"integer","minimum":1,"maximum":200,"default":100}"#);

const SILENCE: &[Parameter] = &[
    optional("minutes", "For how long.", r#"{"type":"integer","minimum":1,"maximum":43200}"#),
    optional(
        "until_resolved",
        "In place of `minutes`: until none of these alerts is open that are open now, 30 days at most.",
        r#"{"type":"boolean"}"#,
    ),
    optional(
        "weekly",
        "Only in these windows of the week, such as `mon-fri 22:00-06:00`; without `minutes`, until it is ended.",
        r#"{"type":"string","maxLength":1000}"#,
    ),
    optional("zone", "The time zone of `weekly`; UTC if left out.", NAME),
    optional(
        "from",
        "When it begins: a time that is to come, 400 days ahead at most; now if left out.",
        TIME,
    ),
    optional("rule", "Names of rules, in which `*` is any text; all if left out.", NAME),
    optional(
        "labels",
        "Values of labels, in which `*` is any text.",
        r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
    ),
    NOTE,
];

const PERIOD: Parameter = optional(
    "period",
    "Days by the application's time zone: `today`, `7d` (so many days, up to today), `month` (this one) or `2026-01-01..2026-01-31`.",
    r#"{"type":"string","default":"7d"}"#,
);
const CLASS: Parameter = optional("class", "The class of traffic.", r#"{"type":"string","default":"human"}"#);
const INTERVAL: Parameter = optional(
    "interval",
    "A series of numbers by hours (of at most 31 days), days or months.",
    r#"{"type":"string","enum":["hour","day","month"]}"#,
);
const COMPARE: Parameter = optional(
    "compare",
    "Also the numbers of earlier days: `previous`, as many days right before; `week`, the same days of the week; `year`, the same days a \
     year earlier. A day that goes on is compared up to the same time of day.",
    r#"{"type":"string","enum":["previous","week","year"]}"#,
);
const FILTER: Parameter = Parameter {
    is_repeatable: true,
    ..optional(
        "filter",
        "A condition, such as `country is DE` or `page does not contain /admin`; `segment is NAME` stands for the filters of a \
         segment. Several may be given: all of them hold.",
        TEXT,
    )
};

const STATISTICS: &[Parameter] = &[
    APP,
    SHARE,
    PERIOD,
    FILTER,
    INTERVAL,
    optional(
        "dimension",
        "Also the values of this dimension with the most visitors, such as `page`, `source`, `country`, `browser`, `goal`, `product`, `search`, `outbound`, `property:NAME`. Of goals, `visitors` is of whom `conversion_rate` is the share: the \
         visitors under the same filters without those on goals.",
        TEXT,
    ),
    CLASS,
    optional(
        "limit",
        "The most values of the dimension.",
        r#"{"type":"integer","minimum":1,"maximum":1000,"default":100}"#,
    ),
    COMPARE,
    optional("amounts", AMOUNTS, r#"{"type":"string","enum":["false","true"],"default":"false"}"#),
    optional("people", PEOPLE, r#"{"type":"string","enum":["false","true"],"default":"false"}"#),
    SUM,
    ORDER,
];

const PEOPLE: &str = "Count people, too: distinct `user_id`s over the days.";

const AMOUNTS: &str = "Sum what events say in the total and the series, too: revenue by currency, orders, quantities, results of \
                       searches. Values of `goal`, `product`, `search` and other dimensions that are what events say have these \
                       `amounts` anyway. Sums are texts, because they are exact.";

const SUM: Parameter = optional("sum", "A property whose numbers are summed, too: `sum` of `amounts`.", TEXT);

const ORDER: Parameter = optional(
    "order",
    "The count or amount by which values are ordered, such as `visitors`, `orders`, `revenue`.",
    TEXT,
);

const FUNNEL: &[Parameter] = &[
    APP,
    SHARE,
    PERIOD,
    FILTER,
    Parameter {
        is_required: true,
        is_repeatable: true,
        ..optional(
            "step",
            "A step: `page /cart*`, `event order` or `goal NAME`, each with conditions of its own (`page /cart where source is Google \
             where country is DE`). From 2 to 10, in their order.",
            TEXT,
        )
    },
    optional(
        "within",
        "Steps are within a session, or within a visitor's day.",
        r#"{"type":"string","enum":["session","day"],"default":"session"}"#,
    ),
    optional(
        "strict",
        "Between two steps there is no other page view, and no other event of a type that a step names.",
        r#"{"type":"string","enum":["false","true"],"default":"false"}"#,
    ),
    CLASS,
];

const RETENTION: &[Parameter] = &[
    APP,
    SHARE,
    optional(
        "period",
        "Days by the application's time zone, as elsewhere. Without them, the last twelve days, weeks or months. They are at most 90 \
         of these; the first and the last may not be whole (`is_whole`).",
        TEXT,
    ),
    optional(
        "by",
        "People are put together by the day, the week (from Monday) or the month that they came first in.",
        r#"{"type":"string","enum":["day","week","month"],"default":"week"}"#,
    ),
    FILTER,
    CLASS,
];

const NOTE: Parameter = optional("note", "What others should know.", r#"{"type":"string","maxLength":1000}"#);

const SAVED: &str = r#"{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":20}"#;
const SAVED_ABOUT: &str =
    "Conditions, such as `country is DE`, all of which hold. None of them names a segment.";
const VISIBILITY: Parameter = optional(
    "visibility",
    "Who sees it: the person alone who made it (`personal`), all who see the whole application (`shared`), or shares and tokens \
     that are bound to a filter, too (`public`).",
    r#"{"type":"string","enum":["personal","shared","public"]}"#,
);
const PANEL: &[Parameter] = &[
    optional("name", "Its name.", SHORT),
    optional(
        "drawing",
        "How it is drawn: totals (`number`), one number by time (`line`), the values with the most of it (`bars`), or several numbers by \
         value or by time (`table`).",
        DRAWING,
    ),
    optional("metrics", PANEL_METRICS_ABOUT, PANEL_METRICS),
    optional("dimension", DIMENSION_ABOUT, DIMENSION),
    optional(
        "interval",
        "By which times it is counted; hours of more than 31 days are days.",
        PANEL_INTERVAL,
    ),
    optional(
        "filters",
        "Conditions, such as `country is DE` or `segment is NAME`: all of them hold.",
        PANEL_FILTERS,
    ),
    optional("sum", "The property whose numbers are the metric `sum`.", PANEL_SUM),
    optional("limit", "The most values; 10 if left out.", r#"{"type":"integer","minimum":1,"maximum":100}"#),
    PANEL_VISIBILITY,
];
const CHANGED_PANEL: &[Parameter] = &{
    let mut all = [PANEL[0]; 10];
    let mut n = 0;
    while n < PANEL.len() {
        all[n] = PANEL[n];
        n += 1;
    }
    all[9] = optional(
        "place",
        "Its place among the person's own panels, or among those that are nobody's own, from 1. The others keep their order.",
        r#"{"type":"integer","minimum":1,"maximum":1000000}"#,
    );
    all
};
const NEW_PANEL: &[Parameter] = &{
    let mut all = [PANEL[0]; 9];
    let mut n = 0;
    while n < PANEL.len() {
        all[n] = Parameter { is_required: n < 3, ..PANEL[n] };
        n += 1;
    }
    all
};
const DRAWING: &str = r#"{"type":"string","enum":["number","line","bars","table"]}"#;
const PANEL_METRICS_ABOUT: &str =
    "What it shows; values are ordered by the first. `sum` is of the property that `sum` names.";
const PANEL_METRICS: &str = r#"{"type":"array","items":{"type":"string","enum":["visitors","sessions","page_views","events","views_per_visit","bounce_rate","duration","revenue","orders","sum"]},"minItems":1,"maxItems":6,"uniqueItems":true}"#;
const DIMENSION_ABOUT: &str = "What it is counted by, such as `source`, `product`, `property:NAME`.";
const DIMENSION: &str = r#"{"type":["string","null"],"maxLength":80}"#;
const PANEL_INTERVAL: &str = r#"{"anyOf":[{"type":"string","enum":["hour","day","month"]},{"type":"null"}]}"#;
const PANEL_FILTERS: &str = r#"{"type":"array","items":{"type":"string"},"maxItems":20}"#;
const PANEL_SUM: &str = r#"{"type":["string","null"],"maxLength":60}"#;
const PANEL_VISIBILITY: Parameter = optional(
    "visibility",
    "Who sees it: the person alone who made it (`personal`), all who see the whole application (`shared`), or shares and tokens \
     that are bound to a filter, too (`public`). Only editors make or change those that are not personal.",
    r#"{"type":"string","enum":["personal","shared","public"]}"#,
);
const OF_PANEL: &[Parameter] = &[APP, SHARE, PERIOD, COMPARE];
const DAY: &str = "The day by the application's time zone: `2026-01-31`, or `today`.";
const HAPPENED: &str = r#"{"type":"string","minLength":1,"maxLength":200}"#;
const PUBLIC: Parameter = optional(
    "is_public",
    "Whether shares, and tokens that are bound to a filter, show it.",
    r#"{"type":"boolean"}"#,
);

const MINUTES: Parameter =
    optional("minutes", "For how long.", r#"{"type":"integer","minimum":1,"maximum":43200,"default":240}"#);

const RULE: Parameter = required(
    "rule",
    "The rule as a table of TOML, such as `name = \"errors\"`, `metric = \"error_rate\"`, `compare = \"> 5\"` in three lines.",
    TEXT,
);

const ALERTS: &[Parameter] = &[
    APP,
    optional(
        "state",
        "Those that are open, or all.",
        r#"{"type":"string","enum":["open","all"],"default":"open"}"#,
    ),
    optional("rule", "The name of a rule.", TEXT),
    optional(
        "severity",
        "How bad they are.",
        r#"{"type":"string","enum":["low","medium","high","critical"]}"#,
    ),
    ROWS,
    CURSOR,
];

const TEXTS: &str = r#"{"type":"array","items":{"type":"string"},"maxItems":50}"#;

const DASHBOARD: &[Parameter] = &[
    APP,
    PERIOD,
    optional("filters", "Conditions, such as `country is DE` or `segment is NAME`: all of them hold.", TEXTS),
    optional(
        "interval",
        "The series is by hours (of at most 31 days), days or months.",
        r#"{"type":"string","enum":["hour","day","month"],"default":"day"}"#,
    ),
    COMPARE,
    CLASS,
    optional("dimensions", "Dimensions whose values with the most visitors are listed.", TEXTS),
    optional("amounts", AMOUNTS, r#"{"type":"boolean","default":false}"#),
    optional("people", PEOPLE, r#"{"type":"boolean","default":false}"#),
    SUM,
    ORDER,
    optional(
        "limit",
        "The most values of each dimension.",
        r#"{"type":"integer","minimum":1,"maximum":100,"default":10}"#,
    ),
];

const QUERY: &[Parameter] = &[
    required("site_id", "The id (public key) of the application. `application_id` is understood, too.", TEXT),
    required(
        "metrics",
        "visitors, visits, pageviews, events, people (with a `user_id`), views_per_visit, bounce_rate (percent), visit_duration (seconds), scroll_depth \
         (percent), time_on_page (seconds), percentage (of the visitors), conversion_rate (percent, of event:goal).",
        r#"{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":20}"#,
    ),
    required(
        "date_range",
        "`day`, `7d` (so many days, of which the last is today), `month`, `6mo`, `12mo`, `year`, `all`, or two days.",
        r#"{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":2}]}"#,
    ),
    optional(
        "dimensions",
        "One of `event:page`, `visit:source`, `visit:country` …, `event:props:NAME`, `event:goal`, `time`, `time:hour`, `time:day`, \
         `time:month`; or none.",
        r#"{"type":"array","items":{"type":"string"},"maxItems":1}"#,
    ),
    optional(
        "filters",
        "Filters of which all hold: `[\"is\", \"visit:country\", [\"DE\"]]`, `[\"or\", [FILTER, …]]`, `[\"not\", FILTER]`.",
        r#"{"type":"array","items":{"type":"array"},"maxItems":200}"#,
    ),
    optional(
        "order_by",
        "One pair of a metric or the dimension, and `asc` or `desc`.",
        r#"{"type":"array","items":{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":2},"maxItems":1}"#,
    ),
    optional(
        "include",
        "`time_labels`: all times of the range; `total_rows`: how many rows there are.",
        r#"{"type":"object","properties":{"time_labels":{"type":"boolean"},"total_rows":{"type":"boolean"}}}"#,
    ),
    optional(
        "pagination",
        "Which rows.",
        r#"{"type":"object","properties":{"limit":{"type":"integer","minimum":1,"maximum":10000},"offset":{"type":"integer","minimum":0,"maximum":10000}}}"#,
    ),
];

const VISITS: &[Parameter] = &[
    APP,
    PERIOD,
    FILTER,
    CLASS,
    optional("limit", "The most visits.", r#"{"type":"integer","minimum":1,"maximum":100,"default":50}"#),
    CURSOR,
];

const VISITOR: Parameter = optional("visitor_id", "The visitor, as an event has it.", TEXT);

const COUNTS: &[Parameter] = &[
    APP,
    required("from", "The first time.", TIME),
    UNTIL,
    required(
        "seconds",
        "How long each time is. At most 500 of them are counted.",
        r#"{"type":"integer","minimum":1,"maximum":86400}"#,
    ),
    TYPE,
    PATH,
    CONTAINS,
    TRACE,
    USER,
    SESSION,
    VISITOR,
    ANY_CLASS,
    STATUS,
    CURSOR,
];

const TYPE: Parameter = optional("type", "The event type, such as `pageview`.", TEXT);
const PATH: Parameter = optional("path", "How the path begins.", TEXT);
const CONTAINS: Parameter = optional(
    "text",
    "A text in path, query, title, referrer, user id, entity id or what the event says; upper and lower case are the same.",
    TEXT,
);
const TRACE: Parameter = optional("trace_id", "The trace id.", TEXT);
const USER: Parameter = optional("user_id", "The user id.", TEXT);
const SESSION: Parameter = optional("session_id", "The session id.", TEXT);
const ANY_CLASS: Parameter =
    optional("class", "The class of traffic, such as `human`; all if left out.", TEXT);
const STATUS: Parameter = optional("status", "The status of the answer, such as `404` or `5xx`.", TEXT);

const EVENTS: &[Parameter] =
    &[APP, FROM, UNTIL, TYPE, PATH, CONTAINS, TRACE, USER, SESSION, VISITOR, ANY_CLASS, STATUS, ROWS, CURSOR];
macro_rules! route {
    ($method:literal, $path:literal, $access:expr, $handler:path, $about:literal, $query:expr, $body:expr) => {
        Route {
            method: $method,
            path: $path,
            access: $access,
            about: $about,
            parameters: $query,
            body: $body,
            is_question: false,
            is_data: false,
            handler: |web, asked| Box::pin($handler(web, asked)),
        }
    };
}

const VIEWER: Role = Role::Viewer;
const EDITOR: Role = Role::Editor;

/// Every route.
pub const ROUTES: &[Route] = &[
    route!("GET", "/health", Access::Open, health::health, "Whether the database answers.", &[], &[]),
    route!("GET", "/api/health", Access::Open, health::health, "Whether the database answers.", &[], &[]),
    route!("GET", "/api/openapi.json", Access::Open, health::openapi, "This document.", &[], &[]),
    route!("GET", "/docs", Access::Open, health::docs, "A page that describes the API.", &[], &[]),
    route!("GET", "/docs.css", Access::Open, health::style, "The style of that page.", &[], &[]),
    route!("GET", "/", Access::Open, assets::page, "The dashboard: all applications.", &[], &[]),
    route!("GET", "/sign-in", Access::Open, assets::page, "The dashboard: signing in.", &[], &[]),
    route!("GET", "/share", Access::Open, assets::page, "The dashboard: what a share shows.", &[], &[]),
    route!(
        "GET",
        "/applications/{application_id}",
        Access::Open,
        assets::page,
        "The dashboard: the statistics of an application.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/applications/{application_id}/{page}",
        Access::Open,
        assets::page,
        "The dashboard: another page of an application.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/alerts",
        Access::Open,
        assets::page,
        "The dashboard: open alerts of all applications.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/alerts/{id}",
        Access::Open,
        assets::page,
        "The dashboard: an alert, by a message about it.",
        &[],
        &[]
    ),
    route!("GET", "/system", Access::Open, assets::page, "The dashboard: the installation.", &[], &[]),
    route!("GET", "/assets/{file}", Access::Open, assets::file, "A file of the dashboard.", &[], &[]),
    route!(
        "GET",
        "/api/v1/statistics",
        Access::Shared(VIEWER),
        statistics::statistics,
        "Statistics by day. With `Accept: text/csv`, a table of the values of the dimension, or else of the days.",
        STATISTICS,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/statistics.csv",
        Access::Shared(VIEWER),
        statistics::statistics,
        "The same as CSV.",
        STATISTICS,
        &[]
    ),
    Route {
        is_question: true,
        ..route!(
            "POST",
            "/api/v1/dashboard",
            Access::Shared(VIEWER),
            statistics::dashboard,
            "All that a page shows of an application, of one moment: total, series, the values of several dimensions, current visitors.",
            &[SHARE],
            DASHBOARD
        )
    },
    Route {
        is_question: true,
        ..route!(
            "POST",
            "/api/v1/query",
            Access::Shared(VIEWER),
            plausible::answer,
            "Metrics by a dimension or by time, in the shape of Plausible's Stats API (version 2).",
            &[SHARE],
            QUERY
        )
    },
    route!(
        "GET",
        "/api/v1/funnel",
        Access::Shared(VIEWER),
        funnel::funnel,
        "How many visitors took one step after the other.",
        FUNNEL,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/retention",
        Access::Shared(VIEWER),
        retention::retention,
        "People (distinct `user_id`s) by when they came first, and how many of them were there in each period since. With \
         `Accept: text/csv`, a table.",
        RETENTION,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/retention.csv",
        Access::Shared(VIEWER),
        retention::retention,
        "The same as CSV: a line for each cohort and period.",
        RETENTION,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/live",
        Access::Shared(VIEWER),
        statistics::live,
        "Current visitors: distinct people of the last five minutes.",
        &[APP, SHARE],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/events",
        Access::App(EDITOR),
        search::events,
        "Events, the newest first. An answer says how far it searched; `next` goes on from there.",
        EVENTS,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/events/counts",
        Access::App(EDITOR),
        search::counts,
        "How many events there are, by time. An answer says how far it counted; `next` goes on from there.",
        COUNTS,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/visits",
        Access::App(EDITOR),
        visits::visits,
        "Single visits, those that ended last first. An answer says how far it searched; `next` goes on from there.",
        VISITS,
        &[]
    ),
    route!(
        "GET",
        "/api/logs",
        Access::App(EDITOR),
        search::events,
        "The same as `/api/v1/events`.",
        EVENTS,
        &[]
    ),
    route!(
        "GET",
        "/api/logs/trace/{id}",
        Access::App(EDITOR),
        search::trace,
        "The events of a trace.",
        &[APP, FROM, UNTIL, ROWS, CURSOR],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/session",
        Access::Open,
        session::begin,
        "Sign in: with email and password, and a code if there is a second factor; with the secret of a one-time link, which may set a \
         password; to a share that has a password, with share and password; or, where a provider has named the person, with provider and \
         code. Sets a cookie.",
        &[],
        &[
            optional("email", "The name of the account.", TEXT),
            optional("password", "Its password, that of the share, or, with link, a new one.", TEXT),
            optional("code", "Six digits of the authenticator app.", TEXT),
            optional("link", "The secret of a one-time link.", TEXT),
            optional("share", "The secret of a share.", TEXT),
            optional(
                "provider",
                "The provider has named the person to this browser, and a code is asked for.",
                r#"{"type":"boolean"}"#
            ),
        ]
    ),
    route!(
        "GET",
        "/api/v1/session/ways",
        Access::Open,
        oidc::ways,
        "How people sign in besides by a password: the provider of OpenID Connect, if there is one.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/session/oidc",
        Access::Open,
        oidc::start,
        "Sign in by the provider: sends the browser there, by 303.",
        &[optional("next", "Where to go then: a path of this server.", TEXT)],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/session/oidc/callback",
        Access::Open,
        oidc::callback,
        "The browser comes back from the provider. Sets a cookie, and sends it on, by 303; where it is not signed in, to /sign-in with \
         the parameter `failed`. Other parameters are not looked at.",
        &[
            optional("code", "What the provider gives.", TEXT),
            optional("state", "What it was given.", TEXT),
            optional("iss", "Its issuer.", TEXT),
            optional("error", "Why it gives nothing.", TEXT),
        ],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/session",
        Access::Token,
        session::session,
        "Who is signed in, and the applications and roles.",
        &[],
        &[]
    ),
    route!("DELETE", "/api/v1/session", Access::Token, session::end, "Sign out.", &[], &[]),
    route!(
        "PUT",
        "/api/v1/session/password",
        Access::Person,
        session::change_password,
        "Set another password. All other sessions of the person end.",
        &[],
        &[required("password", "The new password.", TEXT), CURRENT]
    ),
    route!(
        "POST",
        "/api/v1/session/totp",
        Access::Person,
        session::propose_totp,
        "Make a second factor, which is asked for as soon as it is confirmed.",
        &[],
        &[CURRENT]
    ),
    route!(
        "PUT",
        "/api/v1/session/totp",
        Access::Person,
        session::confirm_totp,
        "Confirm the second factor.",
        &[],
        &[required("code", "Six digits of the authenticator app.", TEXT)]
    ),
    route!(
        "POST",
        "/api/v1/session/totp/remove",
        Access::Person,
        session::remove_totp,
        "Remove the second factor.",
        &[],
        &[CURRENT]
    ),
    route!(
        "GET",
        "/api/v1/applications",
        Access::Token,
        manage::applications,
        "The applications that the token may see.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/applications/{application_id}",
        Access::App(VIEWER),
        manage::application,
        "An application, the line to paste into its pages, and when its last event was.",
        &[],
        &[]
    ),
    route!(
        "PATCH",
        "/api/v1/applications/{application_id}",
        Access::App(EDITOR),
        manage::change_application,
        "Rename an application, or choose what its page views are, or of which parameters of its events statistics keep the values.",
        &[],
        &[
            optional("name", "The new name.", NAME),
            optional(
                "page_views",
                "`events`: those that its pages send; `requests`: also those of its site's own log. Days that are not frozen \
                 are computed again.",
                r#"{"type":"string","enum":["events","requests"]}"#
            ),
            optional(
                "properties",
                "The names of all properties: parameters of its events, `client_sub_id`, `module_id`, `entity_type` or `entity_id`. \
                 Days from now on have their values; `alt stats rebuild` computes those before.",
                PROPERTIES
            )
        ]
    ),
    route!(
        "GET",
        "/api/v1/shares",
        Access::App(EDITOR),
        manage::shares,
        "The shares of an application, without their secrets.",
        &[APP, CURSOR],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/shares",
        Access::App(EDITOR),
        manage::add_share,
        "Make a share: whoever has it sees the statistics of the application. The secret is in this answer only.",
        &[APP],
        &[
            required("name", "What it is for.", NAME),
            optional("filters", "Conditions, all of which hold for what it shows.", TEXTS),
            optional("password", "A password that is needed to see it.", TEXT),
            optional("days", "How long it is valid.", DAYS),
        ]
    ),
    route!(
        "DELETE",
        "/api/v1/shares/{id}",
        Access::App(EDITOR),
        manage::revoke_share,
        "Revoke a share.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/goals",
        Access::App(VIEWER),
        goals::list,
        "The goals of an application. `dimension=goal` of the statistics says who reached them, `goal is NAME` keeps the events that did.",
        &[APP],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/goals",
        Access::App(EDITOR),
        goals::add,
        "Add a goal, which is reached by an event or by a page. Days that are over have it, too.",
        &[APP],
        &[
            required("name", "Its name.", r#"{"type":"string","minLength":1,"maxLength":100}"#),
            optional("event", "The type of the events that reach it, such as `signup`.", TEXT),
            optional("page", "The path of the page views that reach it; `*` is any text.", TEXT),
            optional(
                "conditions",
                "What has to be true of these, too, such as `property:plan is pro`.",
                TEXTS
            ),
            optional(
                "revenue",
                "The property whose number they are worth; without it, their own revenue.",
                TEXT
            ),
        ]
    ),
    route!("DELETE", "/api/v1/goals/{id}", Access::App(EDITOR), goals::remove, "Remove a goal.", &[APP], &[]),
    route!(
        "GET",
        "/api/v1/exclusions",
        Access::App(EDITOR),
        exclusions::list,
        "The exclusions of an application, by which hits get the class `excluded` as they are loaded and are left out of statistics. \
         `your_address` is the address that this request came from: its `value` is what a rule of it would have, `excluded_by` the id of \
         the rule that excludes it already. `wrong` says why something that stands in the application's settings is no rule.",
        &[APP],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/exclusions",
        Access::App(EDITOR),
        exclusions::add,
        "Exclude hits that are loaded from now on; a running daemon knows of it after 30 seconds at most. Rows that are there keep their class.",
        &[APP],
        &[
            required("kind", "What the rule looks at.", KIND),
            required(
                "value",
                "An address or a range such as `192.0.2.0/24`, a country such as `DE`, a path or a host, in which `*` is any text.",
                r#"{"type":"string","minLength":1,"maxLength":500}"#
            ),
            optional("note", "Whose it is, or why it is there.", r#"{"type":"string","maxLength":200}"#),
        ]
    ),
    route!(
        "DELETE",
        "/api/v1/exclusions/{id}",
        Access::App(EDITOR),
        exclusions::remove,
        "Remove an exclusion. Rows that it excluded keep their class.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/annotations",
        Access::Shared(VIEWER),
        annotations::list,
        "What happened on days of an application, the latest days first. A share, and a token that is bound to a filter, is told of what is \
         public alone.",
        &[APP, SHARE, ROWS, CURSOR],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/annotations",
        Access::App(EDITOR),
        annotations::add,
        "Note what happened on a day, such as a release or a newsletter. The dashboard marks it in its graph.",
        &[APP],
        &[required("day", DAY, TEXT), required("text", "What happened.", HAPPENED), PUBLIC]
    ),
    route!(
        "PATCH",
        "/api/v1/annotations/{id}",
        Access::App(EDITOR),
        annotations::change,
        "Change an annotation. What is left out stays.",
        &[APP],
        &[optional("day", DAY, TEXT), optional("text", "What happened.", HAPPENED), PUBLIC]
    ),
    route!(
        "DELETE",
        "/api/v1/annotations/{id}",
        Access::App(EDITOR),
        annotations::remove,
        "Remove an annotation.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/segments",
        Access::Shared(VIEWER),
        saved::list,
        "The segments of an application (filters under a name), by their names. A share, and a token that is bound to a filter, is told of \
         those that are public alone; of personal ones, everybody is told of their own.",
        &[APP, SHARE, ROWS, CURSOR],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/segments",
        Access::App(EDITOR),
        saved::add,
        "Keep filters under a name. `segment is NAME` stands for them in the filters of a question, whatever the name's capitals.",
        &[APP],
        &[required("name", "Its name.", SHORT), required("filters", SAVED_ABOUT, SAVED), VISIBILITY]
    ),
    route!(
        "PATCH",
        "/api/v1/segments/{id}",
        Access::App(EDITOR),
        saved::change,
        "Change a segment, also in what is asked by its name. What is left out stays.",
        &[APP],
        &[optional("name", "Its name.", SHORT), optional("filters", SAVED_ABOUT, SAVED), VISIBILITY]
    ),
    route!(
        "DELETE",
        "/api/v1/segments/{id}",
        Access::App(EDITOR),
        saved::remove,
        "Remove a segment. Questions that name it are refused then.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/panels",
        Access::Shared(VIEWER),
        panels::list,
        "The panels of an application (questions under a name), one's own first, in their order. A share, and a token that is bound \
         to a filter, is told of those that are public alone.",
        &[APP, SHARE],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/panels",
        Access::App(VIEWER),
        panels::add,
        "Keep a question under a name, behind the other panels: personal, or, by an editor, for all.",
        &[APP],
        NEW_PANEL
    ),
    route!(
        "PATCH",
        "/api/v1/panels/{id}",
        Access::App(VIEWER),
        panels::change,
        "Change a panel, or its place. What is left out stays; an editor changes those that are not personal.",
        &[APP],
        CHANGED_PANEL
    ),
    route!(
        "DELETE",
        "/api/v1/panels/{id}",
        Access::App(VIEWER),
        panels::remove,
        "Remove a panel; an editor removes those that are not personal.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/panels/{id}/statistics",
        Access::Shared(VIEWER),
        panels::answer,
        "The answer to the question of a panel: `total`, and `series` or `values`. With `Accept: text/csv`, a table of these. 409: the \
         panel asks for a goal, a segment or a property that is no longer there.",
        OF_PANEL,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/panels/{id}/statistics.csv",
        Access::Shared(VIEWER),
        panels::answer,
        "The same, as CSV.",
        OF_PANEL,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/reports",
        Access::App(EDITOR),
        reports::list,
        "The reports of an application, the channels that take reports, and why none is sent, if that is so.",
        &[APP],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/reports",
        Access::App(EDITOR),
        reports::add,
        "Send the statistics of the application to channels, whenever a day, a week or a month is over.",
        &[APP],
        &[
            required("name", "Its name.", SHORT),
            required(
                "every",
                "How long its periods are.",
                r#"{"type":"string","enum":["day","week","month"]}"#
            ),
            required(
                "channels",
                "The names of the channels.",
                r#"{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":50}"#
            ),
            optional(
                "language",
                "The language in which it is written.",
                r#"{"type":"string","enum":["en","de","ja","ko"],"default":"en"}"#
            ),
            optional(
                "last",
                "Send it of the last period that is over, too, at once.",
                r#"{"type":"boolean","default":false}"#
            ),
        ]
    ),
    route!(
        "DELETE",
        "/api/v1/reports/{id}",
        Access::App(EDITOR),
        reports::remove,
        "Remove a report. What of it waits is not sent.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/reports/{id}/preview",
        Access::App(EDITOR),
        reports::preview,
        "What a report says of the last period that is over: as text, as the page and the table of a mail, and as the data of a webhook.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/alerts",
        Access::App(VIEWER),
        alerts::list,
        "The alerts of an application, the newest first; `not_judged`: which of its rules are not judged, why, and since when. Times are those \
         of the events. Not for tokens that are bound to a filter.",
        ALERTS,
        &[]
    ),
    route!(
        "GET",
        "/api/v1/alerts/{id}",
        Access::App(VIEWER),
        alerts::show,
        "An alert, and what became of it: its transitions, what people did, and the messages about it. `explanation`: the version of \
         the rule that judged its beginning, who was told when by which channel, and what keeps messages back now.",
        &[APP],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/alerts/{id}/acknowledge",
        Access::App(EDITOR),
        alerts::acknowledge,
        "Say that somebody looks after an open alert. It shows once the next five seconds are judged.",
        &[APP],
        &[MINUTES, NOTE,]
    ),
    route!(
        "POST",
        "/api/v1/alerts/{id}/resolve",
        Access::App(EDITOR),
        alerts::resolve,
        "End an open alert by hand. It fires again only after its rule did not hold once.",
        &[APP],
        &[NOTE]
    ),
    route!(
        "GET",
        "/api/v1/alerts/{id}/samples",
        Access::App(VIEWER),
        alerts::samples,
        "What the rule of an alert measured around it, by the rows that are there now: the least and the greatest value of each time. An \
         answer says up to when it came, and whether that is all.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/alert-statistics",
        Access::App(VIEWER),
        alerts::statistics,
        "How many alerts began in the last days, by severity: how many are open, how long it took until somebody looked after them, \
         how long they lasted; and the rules with most of them.",
        &[
            APP,
            optional(
                "days",
                "The last so many days; 30 if left out.",
                r#"{"type":"integer","minimum":1,"maximum":400}"#
            )
        ],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/open-alerts",
        Access::Token,
        alerts::all_open,
        "The open alerts of all applications that the token may see, or the alert with this number.",
        &[optional("id", "The number of an alert.", r#"{"type":"integer","minimum":1}"#)],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/open-alerts/{id}",
        Access::Everything,
        alerts::show_own,
        "An alert of the installation, open or not, and what became of it, as `GET /api/v1/alerts/{id}` says of others.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/open-alerts/{id}/samples",
        Access::Everything,
        alerts::samples_own,
        "What the rule of an alert of the installation measured around it, by the numbers that are there now.",
        &[],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/open-alerts/{id}/acknowledge",
        Access::Everything,
        alerts::acknowledge_own,
        "Say that somebody looks after an open alert of the installation, which is of no application.",
        &[],
        &[MINUTES, NOTE]
    ),
    route!(
        "POST",
        "/api/v1/open-alerts/{id}/resolve",
        Access::Everything,
        alerts::resolve_own,
        "End an open alert of the installation by hand.",
        &[],
        &[NOTE]
    ),
    route!(
        "GET",
        "/api/v1/alert-rules",
        Access::App(VIEWER),
        rules::list,
        "The rules of an application; `not_judged`: which of them are not judged, why, and since when.",
        &[APP],
        &[]
    ),
    route!("GET", "/api/v1/alert-rules/{id}", Access::App(VIEWER), rules::show, "A rule.", &[APP], &[]),
    route!(
        "POST",
        "/api/v1/alert-rules",
        Access::App(EDITOR),
        rules::add,
        "Add a rule that judges this application alone, from now on.",
        &[APP],
        &[RULE]
    ),
    route!(
        "PUT",
        "/api/v1/alert-rules/{id}",
        Access::App(EDITOR),
        rules::change,
        "Make another version of a rule, or switch it on or off: windows that end from now on are judged by it. A rule of several \
         applications is changed by owners of everything alone.",
        &[APP],
        &[
            optional("rule", "The rule as a table of TOML, with the same name.", TEXT),
            optional("enabled", "In place of it: whether it is judged.", r#"{"type":"boolean"}"#),
        ]
    ),
    route!(
        "DELETE",
        "/api/v1/alert-rules/{id}",
        Access::App(EDITOR),
        rules::remove,
        "Remove a rule: its open alerts end, and its history stays. A rule of several applications is removed by owners of everything \
         alone.",
        &[APP],
        &[]
    ),
    Route {
        is_question: true,
        ..route!(
            "POST",
            "/api/v1/alert-rules/backtest",
            Access::App(EDITOR),
            rules::backtest,
            "What a rule would have found in the application, and what it measured, by the rows that are there. It reads for about a \
             second: while an answer is not complete, ask again with its `next` as `from`, and its `until`, `seconds` and `going`.",
            &[APP],
            &[
                RULE,
                optional(
                    "from",
                    "The first time; 30 days ago if left out, and 31 days before `until` at most.",
                    TIME
                ),
                optional("until", "The last time; now if left out.", TIME),
                optional(
                    "seconds",
                    "How long the time of each point is.",
                    r#"{"type":"integer","minimum":5,"maximum":86400}"#
                ),
                optional(
                    "going",
                    "`going` of the answer before.",
                    r#"{"type":"array","items":{"type":"object"},"maxItems":200}"#
                ),
            ]
        )
    },
    Route {
        is_data: true,
        ..route!(
            "POST",
            "/api/v1/metrics",
            Access::App(EDITOR),
            metrics::send,
            "Send numbers of an application, such as orders or the length of a queue; rules with `sample` judge them in their time. \
             `accepted` is how many were stored. Not for tokens that are bound to a filter.",
            &[APP],
            &[
                required(
                    "metrics",
                    "Numbers by their names: `{\"orders\": 12, \"revenue\": 99.5}`.",
                    NUMBERS
                ),
                optional("at", "When they were so; now if left out, and 90 days ago at most.", TIME),
                optional("host", "What they are of; the name of the token if left out.", SHORT),
                optional(
                    "id",
                    "What you call them: what is sent again under the same id is not stored again.",
                    SHORT
                ),
            ]
        )
    },
    route!(
        "GET",
        "/api/v1/silences",
        Access::App(VIEWER),
        silences::list,
        "The silences of an application that are not over.",
        &[APP],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/silences",
        Access::App(EDITOR),
        silences::add,
        "Keep messages about alerts of this application back, from now on or from a later time on.",
        &[APP],
        SILENCE
    ),
    Route {
        is_question: true,
        ..route!(
            "POST",
            "/api/v1/silences/preview",
            Access::App(EDITOR),
            silences::preview,
            "The open `alerts` that a silence would be about. Nothing is silenced.",
            &[APP],
            SILENCE
        )
    },
    route!(
        "DELETE",
        "/api/v1/silences/{id}",
        Access::App(EDITOR),
        silences::end,
        "End a silence now. One of several applications is ended by owners of everything alone.",
        &[APP],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/channels",
        Access::App(EDITOR),
        channels::list,
        "The receivers of messages, without their addresses and secrets.",
        &[APP],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/channels/{name}/test",
        Access::Everything,
        channels::test,
        "Send a message to try a channel. `tried` of the channels says what became of it.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/tokens",
        Access::Everything,
        manage::tokens,
        "Tokens, without their secrets.",
        &[CURSOR],
        &[]
    ),
    route!(
        "POST",
        "/api/v1/tokens",
        Access::Everything,
        manage::add_token,
        "Make a token. The secret is in this answer only.",
        &[],
        &[
            required("name", "What it is for.", NAME),
            optional(
                "role",
                "The most that it may do.",
                r#"{"type":"string","enum":["viewer","editor","owner"],"default":"viewer"}"#
            ),
            optional(
                "applications",
                "The ids of its applications; all if left out.",
                r#"{"type":"array","items":{"type":"string"},"minItems":1}"#
            ),
            optional("filters", "Conditions, all of which hold for what a viewer's token sees.", TEXTS),
            optional("user", "The name of the person to whom it belongs.", TEXT),
            optional("days", "How long it is valid.", DAYS),
        ]
    ),
    Route {
        is_data: true,
        ..route!(
            "POST",
            "/api/v1/jwt",
            Access::Token,
            manage::exchange_token,
            "Exchange a token for a JSON Web Token, which is valid for 15 minutes: for programs that take no other tokens. It may do \
             what the token may do, except what needs an owner of all applications, and ends with the token.",
            &[],
            &[]
        )
    },
    route!(
        "DELETE",
        "/api/v1/tokens/{id}",
        Access::Everything,
        manage::revoke_token,
        "Revoke a token.",
        &[],
        &[]
    ),
    route!("GET", "/api/v1/users", Access::Everything, manage::users, "People and their roles.", &[], &[]),
    route!(
        "POST",
        "/api/v1/users",
        Access::Everything,
        manage::add_user,
        "Add a person.",
        &[],
        &[
            required("name", "The name, such as a mail address.", NAME),
            optional("is_owner", "Owner of everything.", r#"{"type":"boolean","default":false}"#),
        ]
    ),
    route!(
        "DELETE",
        "/api/v1/users/{id}",
        Access::Everything,
        manage::remove_user,
        "Remove a person, with all grants, tokens and sessions.",
        &[],
        &[]
    ),
    route!(
        "PUT",
        "/api/v1/users/{id}/grants",
        Access::Everything,
        manage::grant,
        "Give a person a role with an application, or take it.",
        &[],
        &[
            required("application", "The id of the application.", TEXT),
            required("role", "The role.", r#"{"type":"string","enum":["viewer","editor","owner","none"]}"#),
        ]
    ),
    route!(
        "POST",
        "/api/v1/users/{id}/links",
        Access::Everything,
        manage::add_link,
        "Make a link by which the person signs in once. The secret is in this answer only.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/metrics",
        Access::Everything,
        manage::metrics,
        "How the installation is: requests, errors and latency of this process, what was loaded, and the statistics that wait.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/system",
        Access::Everything,
        manage::system,
        "How loading is: daemons, files (those with an error first and then those that were loaded last), and who works.",
        &[],
        &[]
    ),
    route!(
        "GET",
        "/api/v1/audit",
        Access::Everything,
        manage::audit_log,
        "What was changed, by whom and when, the newest first.",
        &[
            optional(
                "limit",
                "The most entries.",
                r#"{"type":"integer","minimum":1,"maximum":500,"default":100}"#
            ),
            CURSOR
        ],
        &[]
    ),
];

/// The path under which the same is asked without the version of the API: of alerts and their rules alone.
pub(crate) fn alias(path: &str) -> Option<String> {
    let is_of =
        |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (is_of("/api/v1/alerts") || is_of("/api/v1/alert-rules")).then(|| path.replacen("/api/v1/", "/api/", 1))
}

/// The methods of a path, with commas between them.
pub(crate) fn methods(path: &str) -> String {
    let of_path = ROUTES.iter().filter(|route| route.path == path);
    of_path
        .map(|route| if route.method == "GET" { "GET, HEAD" } else { route.method })
        .collect::<Vec<_>>()
        .join(", ")
}
