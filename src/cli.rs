//! The command line: types only. The doc comments are the help that people read.

mod alerts;

use std::path::PathBuf;

use alt_collect::source::inputs::Order;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;

pub use self::alerts::{
    AlertRule, Alerts, AlertsAck, AlertsBacktest, AlertsList, AlertsResolve, AlertsShow, AlertsStats,
    AlertsTest, Json, RuleAdd, RuleName, RuleSamples, Silence, SilenceAdd, SilenceEnd,
};

/// Turns nginx into a tracking collector that loses nothing: requests that nginx logged become rows in
/// PostgreSQL, exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "alt",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check found problems.
The first steps on a machine with nginx and PostgreSQL: `alt setup`, then `alt check`."
)]
pub struct Cli {
    /// For every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The configuration, else the one that the variable `ALT_CONFIG` names, else /etc/alt/alt.toml if it is there
    // Not clap's own `env`: with the variable set, every message about usage would name this option.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// How messages are written to stderr: human or json
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "human",
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    pub log_format: LogFormat,
    /// Say more (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Everywhere")]
    pub quiet: bool,
}

impl Global {
    /// The configuration that is named, by the option or by the environment.
    pub fn config(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("ALT_CONFIG").filter(|path| !path.is_empty());
        self.config.clone().or_else(|| named().map(PathBuf::from))
    }
}

/// `alt run`
#[derive(Debug, Args)]
pub struct Run {
    /// nginx has stopped for good: load and archive all that is there, the live logs too, and end; exit code 0 when
    /// nothing is owed
    #[arg(long = "final")]
    pub is_final: bool,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people and journald.
    Human,
    /// One JSON object a line.
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prepare this machine, as root, once: role, database, schema, first application, nginx site
    Setup(Setup),
    /// Follow the logs and load them: the daemon
    #[command(after_help = "\
Runs until SIGTERM or Ctrl-C; it may be killed at any time. SIGHUP validates the configuration and then reloads \
it; a wrong one changes nothing.

Examples:
  systemctl start alt
  alt run --config ./alt.toml -v
  kill -HUP $(pidof alt)
  systemctl stop nginx && alt run --final && shutdown -h now")]
    Run(Run),
    /// Load archived or foreign logs; what is there already is not loaded twice
    Replay(Replay),
    /// Take rows out again: those of a file, or of an application in a range of time
    Unload(Unload),
    /// Show what lines mean, as JSON, one object a line; needs no database
    Parse(Parse),
    /// A page or a summary of what any logs say, for people; needs no database
    Report(Report),
    /// Create or upgrade the schema
    Migrate(Migrate),
    /// Applications: whose hits are whose
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt app add 'My shop' --domain example.com
  alt app list"
    )]
    App(App),
    /// The script that pages bring in, and the lines to paste
    #[command(
        subcommand,
        after_help = "\
Examples:
  sudo alt beacon build --host events.example.com --out /var/www/alt
  alt beacon build --app KEY --json"
    )]
    Beacon(Beacon),
    /// Find what is wrong, and say how to mend it
    Check(Check),
    /// Show how far every log is loaded
    Status(Status),
    /// Visitors, sessions, page views of an application by its days
    Stats(Stats),
    /// Search events in the database, the newest first
    #[command(after_help = "\
Exit code 3: nothing was found.

Examples:
  alt search checkout --app 'My shop'
  alt search --path /blog/ --status 404 --from 7d
  alt search --trace 4bf92f3577b34da6a3ce929d0e0e4736 --json
  alt search --user jane --follow")]
    Search(Search),
    /// Load the made traffic of a shop, to see what `alt` shows
    #[command(after_help = "\
The traffic belongs to an application of its own, and is taken out again by `alt unload --app alt-demo`.

Examples:
  alt demo
  alt demo --days 7 --visitors 200")]
    Demo(Demo),
    /// Answer the API: statistics and events over HTTP
    #[command(after_help = "\
Runs until SIGTERM or Ctrl-C. It listens where [web] listen says (127.0.0.1:8600); nginx is in front of it, with TLS.

Examples:
  systemctl start alt-web
  alt serve --config ./alt.toml -v")]
    Serve,
    /// Tokens, by which programs use the API
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt token add 'Nightly report' --app 'My shop' --days 365
  alt token list
  alt token revoke 7"
    )]
    Token(Token),
    /// People, and what they may do with applications
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt user add jane@example.com
  alt user grant jane@example.com --app 'My shop' --role editor
  alt token add 'Laptop of Jane' --user jane@example.com --role owner"
    )]
    User(User),
    /// Goals: what visitors are to reach
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt goal add 'Sign-up' --event signup --app 'My shop'
  alt goal add 'Order' --page '/checkout/thanks*'
  alt stats goals --app 'My shop' --period 30d"
    )]
    Goal(Goal),
    /// Exclusions: whose hits do not count
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt exclusion add --address 203.0.113.7 --note 'the office' --app 'My shop'
  alt exclusion add --path '/admin/*'
  alt exclusion list"
    )]
    Exclusion(Exclusion),
    /// Alerts: what is wrong, who looks after it, and the rules that say so
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt alerts rule samples --add
  alt alerts list
  alt alerts ack 12 --note 'I am on it'"
    )]
    Alerts(Alerts),
    /// Channels: receivers of messages about alerts
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt channel list
  alt channel test pager"
    )]
    Channel(Channel),
    /// Watch hits as they come
    Tail(Tail),
    /// Show how a line is parsed, enriched and classified, and by which rule
    Explain(Explain),
    /// Lines that could not become rows
    #[command(subcommand, after_help = "Examples:\n  alt rejects list --since 1d\n  alt rejects retry")]
    Rejects(Rejects),
    /// What is deleted for its age, what keeps it, and what was deleted
    #[command(
        subcommand,
        after_help = "Examples:\n  alt retention show\n  alt retention confirm --today 2026-11-28"
    )]
    Retention(Retention),
    /// The archive: what is in it, and getting it back
    #[command(
        subcommand,
        after_help = "\
Logs are archived by `alt run`, and loaded again by `alt replay s3://…`.

Examples:
  alt archive list --since 7d
  alt archive verify"
    )]
    Archive(Archive),
    /// Write the manual pages and shell completions, for whoever packages alt
    #[command(hide = true, after_help = "Example:\n  alt pages target/pages")]
    Pages(Pages),
    /// Note how the daemon ended, by what the service manager says in the environment
    #[command(hide = true, after_help = "Example:\n  alt ended")]
    Ended,
}

/// `alt demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Days of traffic, up to now
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=400))]
    pub days: u32,
    /// People a day, on average
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub visitors: u32,
    /// Other traffic for another number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// A role with an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Sees statistics.
    Viewer,
    /// Sees events, too, and changes the application and its shares.
    Editor,
    /// Does everything.
    Owner,
}

/// Verbs of `alt token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; its secret is shown this once
    #[command(after_help = "\
A token with --user may do what both it and the person may do, and ends when the person is removed.

Examples:
  alt token add 'Nightly report' --app 'My shop'
  alt token add backup --role owner --days 90 --json")]
    Add(TokenAdd),
    /// List the tokens, without their secrets
    #[command(after_help = "Example:\n  alt token list --json")]
    List(AsJson),
    /// End a token at once
    #[command(after_help = "Example:\n  alt token revoke 7")]
    Revoke(TokenRevoke),
}

/// `alt token add`
#[derive(Debug, Args)]
pub struct TokenAdd {
    /// What it is for
    #[arg(value_name = "NAME")]
    pub name: String,
    /// An application that it is for, by name or key (several: repeat; none: all)
    #[arg(long = "app", value_name = "APP")]
    pub apps: Vec<String>,
    /// The most that it may do
    #[arg(long, value_enum, default_value = "viewer")]
    pub role: RoleName,
    /// Only what this condition is true of, such as 'country is DE', in statistics (several: repeat; all hold)
    #[arg(long = "filter", value_name = "FILTER")]
    pub filters: Vec<String>,
    /// The person to whom it belongs
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// For how many days it is valid; without it, until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=36_500))]
    pub days: Option<i32>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt token revoke`
#[derive(Debug, Args)]
pub struct TokenRevoke {
    /// The token's number, as `alt token list` shows it
    #[arg(value_name = "ID")]
    pub id: i32,
}

/// A verb whose only option is the form of its output.
#[derive(Debug, Args)]
pub struct AsJson {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Verbs of `alt channel`.
#[derive(Debug, Subcommand)]
pub enum Channel {
    /// List the channels of the configuration, and whether their secrets can be read
    #[command(after_help = "Example:\n  alt channel list --json")]
    List(ChannelList),
    /// Let a channel take messages again whose receiver wanted no more
    #[command(after_help = "Example:\n  alt channel enable pager")]
    Enable(ChannelTest),
    /// Send a message to a channel, and say what became of it
    #[command(after_help = "Example:\n  alt channel test pager")]
    Test(ChannelTest),
}

/// `alt channel list`
#[derive(Debug, Args)]
pub struct ChannelList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt channel test`
#[derive(Debug, Args)]
pub struct ChannelTest {
    /// The name of a channel in the configuration
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Verbs of `alt goal`.
#[derive(Debug, Subcommand)]
pub enum Goal {
    /// Add a goal; days that are over have it, too
    #[command(after_help = "\
An application has at most 50 goals. A * in a page is any text, also with a slash.

Examples:
  alt goal add 'Sign-up' --event signup
  alt goal add 'Blog' --page '/blog/*' --app 'My shop'
  alt goal add 'Pro' --event signup --where 'property:plan is pro' --revenue price")]
    Add(GoalAdd),
    /// List the goals of an application
    #[command(after_help = "Example:\n  alt goal list --app 'My shop' --json")]
    List(GoalList),
    /// Remove a goal; nothing that was counted is lost
    #[command(after_help = "Example:\n  alt goal remove 'Sign-up' --app 'My shop'")]
    Remove(GoalRemove),
}

/// `alt goal add`
#[derive(Debug, Args)]
#[group(id = "reached_by", required = true, args = ["event", "page"])]
pub struct GoalAdd {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The type of the events that reach it, such as signup
    #[arg(long, value_name = "TYPE")]
    pub event: Option<String>,
    /// The path of the page views that reach it; * is any text
    #[arg(long, value_name = "PATH")]
    pub page: Option<String>,
    /// What has to be true of these, too: 'property:plan is pro', 'product is 17'; several times: all of them
    #[arg(long = "where", value_name = "FILTER")]
    pub only: Vec<String>,
    /// The property whose number they are worth (else what they are worth by themselves: revenue, or an order's total)
    #[arg(long, value_name = "PROPERTY")]
    pub revenue: Option<String>,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// `alt goal list`
#[derive(Debug, Args)]
pub struct GoalList {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt goal remove`
#[derive(Debug, Args)]
pub struct GoalRemove {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// Verbs of `alt exclusion`.
#[derive(Debug, Subcommand)]
pub enum Exclusion {
    /// Add an exclusion; it applies to hits that are loaded from now on
    #[command(after_help = "\
Hits that match it become rows of the class excluded, which statistics, goals and alerts leave out. Rows that are there \
keep their class: their addresses may be gone. `alt unload` and `alt replay` of their logs count them again. \
An application has at most 100 exclusions. A * in a path or host is any text, also with a slash or a dot.

Examples:
  alt exclusion add --address 203.0.113.7 --note 'the office'
  alt exclusion add --address 2001:db8:1:2::/64 --app 'My shop'
  alt exclusion add --country DE
  alt exclusion add --path '/admin/*'
  alt exclusion add --host '*.staging.example.com'")]
    Add(ExclusionAdd),
    /// List the exclusions of an application
    #[command(after_help = "Example:\n  alt exclusion list --app 'My shop' --json")]
    List(ExclusionList),
    /// Remove an exclusion; rows that it left out keep their class
    #[command(after_help = "Example:\n  alt exclusion remove 203.0.113.7 --app 'My shop'")]
    Remove(ExclusionRemove),
}

/// `alt exclusion add`
#[derive(Debug, Args)]
#[group(id = "excluded", required = true, args = ["address", "country", "path", "host"])]
pub struct ExclusionAdd {
    /// The client's address as the log has it, or a range of addresses (192.0.2.0/24, 2001:db8:1:2::/64)
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// The country of the browser's time zone, two letters; only scripts made by `alt beacon build --full` say the zone
    #[arg(long, value_name = "COUNTRY")]
    pub country: Option<String>,
    /// The path of the page; * is any text
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// The host of the page, with any port unless one is named; * is any text
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Whose it is, or why it is there
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// `alt exclusion list`
#[derive(Debug, Args)]
pub struct ExclusionList {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt exclusion remove`
#[derive(Debug, Args)]
pub struct ExclusionRemove {
    /// Its value or id, as `alt exclusion list` shows them
    #[arg(value_name = "RULE", allow_hyphen_values = true)]
    pub rule: String,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// Verbs of `alt user`.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add a person
    #[command(after_help = "Example:\n  alt user add jane@example.com")]
    Add(UserAdd),
    /// List the people, and what they may do
    #[command(after_help = "Example:\n  alt user list --json")]
    List(AsJson),
    /// Print a link by which a person signs in once, within 15 minutes, and sets a password
    #[command(after_help = "Example:\n  alt user link jane@example.com")]
    Link(UserLink),
    /// Remove a person, with all tokens of this person
    #[command(after_help = "Example:\n  alt user remove jane@example.com")]
    Remove(UserRemove),
    /// Give a person a role with an application, or take it
    #[command(after_help = "\
Examples:
  alt user grant jane@example.com --app 'My shop' --role viewer
  alt user grant jane@example.com --app 'My shop' --none")]
    Grant(UserGrant),
    /// Forget who a person is to the provider of [web.oidc], and end all sessions: for an account that is a new one there
    #[command(after_help = "Example:\n  alt user unbind jane@example.com")]
    Unbind(UserUnbind),
}

/// `alt user add`
#[derive(Debug, Args)]
pub struct UserAdd {
    /// Name or mail address
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Owner of everything: all applications, people, tokens, and the record of changes
    #[arg(long)]
    pub owner: bool,
}

/// `alt user link`
#[derive(Debug, Args)]
pub struct UserLink {
    /// Name of the person
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Remove the second factor: for a person who has lost the device
    #[arg(long)]
    pub without_code: bool,
    /// Print the link alone
    #[arg(long)]
    pub plain: bool,
}

/// `alt user remove`
#[derive(Debug, Args)]
pub struct UserRemove {
    /// Name of the person
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `alt user unbind`
#[derive(Debug, Args)]
pub struct UserUnbind {
    /// Name of the person
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `alt user grant`
#[derive(Debug, Args)]
pub struct UserGrant {
    /// Name of the person
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The application, by name or key
    #[arg(long, value_name = "APP")]
    pub app: String,
    /// The role
    #[arg(long, value_enum, required_unless_present = "none", conflicts_with = "none")]
    pub role: Option<RoleName>,
    /// Take the role
    #[arg(long)]
    pub none: bool,
}

/// `alt stats`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Statistics are computed by `alt run` where `enabled = true` stands below [stats] in the configuration.

Examples:
  alt stats --app 'My shop' --period 30d
  alt stats --app 'My shop' --period 2026-01-01..2026-01-31 --csv
  alt stats --app 'My shop' --dimension page --filter 'country is DE' --filter 'source is google' --compare=week
  alt stats rebuild"
)]
pub struct Stats {
    /// What to show.
    #[command(flatten)]
    pub show: StatsShow,
    /// What else to do.
    #[command(subcommand)]
    pub verb: Option<StatsVerb>,
}

/// `alt search`.
#[derive(Debug, Args)]
pub struct Search {
    /// A text in path, query, title, referrer, user id, entity id or what the event says; upper and lower case are the same
    pub text: Option<String>,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// The first time: 2026-01-31, 2026-01-31T12:00:00Z, 90m or 7d (ago)
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// The time before which they are
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The type: pageview, click, request …
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// How the path begins
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// The status of the answer: 404, or 5xx
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// The class of traffic: human, bot …; all if left out
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// The trace id
    #[arg(long, value_name = "ID")]
    pub trace: Option<String>,
    /// The user id
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// The session id that the page sent
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// The most events
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Go on where a search ended
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    pub cursor: Option<String>,
    /// Then show events as they are loaded, until Ctrl-C
    #[arg(long, short, conflicts_with = "until")]
    pub follow: bool,
    /// Print a line of JSON for each event
    #[arg(long)]
    pub json: bool,
}

/// `alt stats` without a verb.
#[derive(Debug, Args)]
pub struct StatsShow {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Which days, by the application's time zone: today, 7d, 30d, month, or 2026-01-01..2026-01-31
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    pub period: String,
    /// The class of traffic
    #[arg(long, value_name = "CLASS", default_value = "human")]
    pub class: String,
    /// Count only what this is true of: 'country is DE', 'page is not /', 'source contains google', 'page matches ^/blog/',
    /// 'segment is NAME' (of `alt stats segment`); several times: all of them
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Count by this: page, source, country, browser … product, search, outbound, property:NAME
    #[arg(long, value_name = "DIMENSION")]
    pub dimension: Option<String>,
    /// Count by time
    #[arg(long, value_enum, value_name = "INTERVAL", conflicts_with = "dimension")]
    pub interval: Option<Interval>,
    /// Compare with as many days before, the same days of the week, or the same days a year before
    #[arg(long, value_enum, value_name = "DAYS", num_args = 0..=1, require_equals = true, default_missing_value = "previous")]
    pub compare: Option<Compared>,
    /// Sum a property of the events, with --dimension or --interval: a number such as points
    #[arg(long, value_name = "PROPERTY")]
    pub sum: Option<String>,
    /// Count people, too: distinct user ids
    #[arg(long)]
    pub people: bool,
    /// The most values, with --dimension or --interval
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// The metric that values are ordered by; `None`: visitors. Panels say it.
    #[arg(skip)]
    pub order: Option<&'static str>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each day, and for each value of the lists
    #[arg(long)]
    pub csv: bool,
}

/// What `alt stats --compare` compares with.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Compared {
    /// As many days right before.
    Previous,
    /// The same days of the week.
    Week,
    /// The same days of the year before.
    Year,
}

/// What `alt stats --interval` counts by.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Interval {
    /// Days of the application.
    Day,
    /// Hours since the beginning of each day.
    Hour,
    /// Minutes since the beginning of each day.
    Minute,
}

/// Verbs of `alt stats`.
#[derive(Debug, Subcommand)]
pub enum StatsVerb {
    /// Compute all days again whose rows are there
    #[command(after_help = "\
It may be interrupted: `--resume` goes on, and so does `alt run`. Days whose rows were deleted for their age stay as they \
are. Exit code 3: another process has been computing them for a minute, and goes on.

Examples:
  alt stats rebuild
  alt stats rebuild --app 'My shop'")]
    Rebuild(StatsRebuild),
    /// Import statistics of the time before from the exports of Plausible, Google Analytics or Matomo
    #[command(after_help = "\
A file is a CSV table with a line for each day, or for each day and value, or a ZIP archive of such tables. Days that have \
events of their own stay as they are. What is imported is replaced when it is imported again. Exit code 3: nothing was imported.

Examples:
  alt stats import plausible-export.zip --app 'My shop' --dry-run
  alt stats import visits.csv --app 'My shop' --until 2026-01-31
  alt stats import pages.csv visits.csv --app 'My shop' --dimension page
  alt stats import --remove --app 'My shop'")]
    Import(StatsImport),
    /// Let days be computed again, after rows were changed by hand
    #[command(after_help = "\
Examples:
  alt stats mark --app 'My shop' --from 2026-01-31 --until 2026-02-02")]
    Mark(StatsMark),
    /// Compare the statistics with what plain SQL counts of the rows
    #[command(after_help = "\
Each day is counted again by SQL alone, without the code that computes statistics. Days that are being computed, and days \
whose rows may be gone, are not compared. It takes long where days have many rows, and may be interrupted. Exit code 3: \
something is different; `alt stats mark` lets such days be computed again.

Examples:
  alt stats verify
  alt stats verify --app 'My shop' --from 2026-01-31 --until 2026-02-02")]
    Verify(StatsVerify),
    /// Show by page how many requests a server answered, how fast, and with which errors
    #[command(after_help = "\
It is of rows of the type `request`, which logs of a server give. p50: half of the requests that say how long they took, took no \
longer. A minute: requests in a minute of the period; most: in the busiest one.

Examples:
  alt stats performance --app 'My shop' --period 30d
  alt stats performance --app 'My shop' --class bot --json")]
    Performance(StatsPerformance),
    /// Show how many visitors reached each goal
    #[command(after_help = "\
Goals are added by `alt goal add`. Of all: of the visitors under the same filters without those on goals.

Examples:
  alt stats goals --app 'My shop' --period 30d
  alt stats goals --filter 'channel is search' --json")]
    Goals(StatsGoals),
    /// Show how many visitors took one step after the other
    #[command(after_help = "\
A step is 'page /cart*' (* is any text), 'event order' or 'goal NAME', and has conditions of its own behind 'where': \
'page /cart where source is Google where country is DE'. Other events may lie between two steps; with --strict, no other page \
view, and no other event of a type that a step names.

Examples:
  alt stats funnel --step 'page /cart' --step 'page /checkout*' --step 'event order'
  alt stats funnel --step 'page /' --step 'goal Sign-up' --within day --period 30d --json")]
    Funnel(StatsFunnel),
    /// Show which pages visitors come from and go to, of one page
    #[command(after_help = "\
Pages before and after are those of the same session; (entry) and (exit) say that there is none.

Examples:
  alt stats journey /pricing --app 'My shop' --period 30d
  alt stats journey /cart --filter 'country is DE' --json")]
    Journey(StatsJourney),
    /// Show people by when they came first, and how many of them came back
    #[command(after_help = "\
A person is a user_id that the site's pages send. A line is those whose first day, week or month of these is the same; +1 is who of \
them was there in the next one.

Examples:
  alt stats people 'My shop' --by week
  alt stats people 'My shop' --by day --period 30d --filter 'channel is search' --csv")]
    People(StatsPeople),
    /// Send statistics to channels when a day, a week or a month is over
    #[command(subcommand)]
    Report(StatsReport),
    /// Note what happened on a day, such as a release
    #[command(subcommand)]
    Annotation(StatsAnnotation),
    /// Look at panels: questions that are kept under a name
    #[command(subcommand)]
    Panel(StatsPanel),
    /// Keep filters under a name: --filter 'segment is NAME' stands for them
    #[command(subcommand)]
    Segment(StatsSegment),
}

/// Verbs of `alt stats panel`.
#[derive(Debug, Subcommand)]
pub enum StatsPanel {
    /// List the panels of an application, also personal ones
    #[command(after_help = "Example:\n  alt stats panel list --json")]
    List(StatsPanelList),
    /// Answer the question of a panel
    #[command(after_help = "\
Values and days are shown with all their numbers; months by their days.

Examples:
  alt stats panel show 'Orders by plan'
  alt stats panel show 'Orders by plan' --period 30d --csv")]
    Show(StatsPanelShow),
    /// Remove a panel
    #[command(after_help = "Example:\n  alt stats panel remove 'Orders by plan'")]
    Remove(StatsPanelRemove),
}

/// `alt stats panel list`
#[derive(Debug, Args)]
pub struct StatsPanelList {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt stats panel show`
#[derive(Debug, Args)]
pub struct StatsPanelShow {
    /// The panel, by name or id
    #[arg(value_name = "PANEL")]
    pub panel: String,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Which days, by the application's time zone: today, 7d, 30d, month, or 2026-01-01..2026-01-31
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    pub period: String,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV
    #[arg(long)]
    pub csv: bool,
}

/// `alt stats panel remove`
#[derive(Debug, Args)]
pub struct StatsPanelRemove {
    /// The panel, by name or id
    #[arg(value_name = "PANEL")]
    pub panel: String,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// Verbs of `alt stats segment`.
#[derive(Debug, Subcommand)]
pub enum StatsSegment {
    /// Add a segment: filters under a name, all of which hold
    #[command(after_help = "\
Everybody who sees the whole application sees it. Personal ones are made where somebody is signed in.

Examples:
  alt stats segment add 'Readers from Germany' --filter 'country is DE' --filter 'page contains /blog'
  alt stats --filter 'segment is readers from germany' --dimension source
  alt stats --filter 'segment is not readers from germany'")]
    Add(StatsSegmentAdd),
    /// List the segments of an application, also personal ones
    #[command(after_help = "Example:\n  alt stats segment list --json")]
    List(StatsSegmentList),
    /// Change a segment, by its name; what is left out stays
    #[command(after_help = "\
Examples:
  alt stats segment change Readers --name 'Readers from Germany'
  alt stats segment change Readers --filter 'country is DE' --visibility public")]
    Change(StatsSegmentChange),
    /// Remove a segment, by its name
    #[command(after_help = "Example:\n  alt stats segment remove Readers")]
    Remove(StatsSegmentRemove),
}

/// Who sees a segment.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SegmentVisibility {
    /// All who see the whole application.
    Shared,
    /// Shares, and tokens that are bound to a filter, too.
    Public,
}

/// `alt stats segment add`
#[derive(Debug, Args)]
pub struct StatsSegmentAdd {
    /// Its name; capitals are the same as small letters
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What is true of all that is in it, such as 'country is DE'; several times: all of them
    #[arg(long, value_name = "FILTER", required = true)]
    pub filter: Vec<String>,
    /// Who sees it
    #[arg(long, value_enum, value_name = "WHO", default_value = "shared")]
    pub visibility: SegmentVisibility,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// `alt stats segment list`
#[derive(Debug, Args)]
pub struct StatsSegmentList {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt stats segment change`
#[derive(Debug, Args)]
pub struct StatsSegmentChange {
    /// The name that it has
    #[arg(value_name = "NAME")]
    pub segment: String,
    /// Its new name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Its new filters; several times: all of them
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Who sees it
    #[arg(long, value_enum, value_name = "WHO")]
    pub visibility: Option<SegmentVisibility>,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// `alt stats segment remove`
#[derive(Debug, Args)]
pub struct StatsSegmentRemove {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// Verbs of `alt stats annotation`.
#[derive(Debug, Subcommand)]
pub enum StatsAnnotation {
    /// Add an annotation; the dashboard marks it in its graph
    #[command(after_help = "\
Shares do not show it, unless it is public.

Examples:
  alt stats annotation add today 'Release 2.1'
  alt stats annotation add 2026-01-31 'Newsletter' --app 'My shop' --public")]
    Add(StatsAnnotationAdd),
    /// List the annotations of an application, the latest days first
    #[command(after_help = "Example:\n  alt stats annotation list --json")]
    List(StatsAnnotationList),
    /// Remove an annotation, by its number
    #[command(after_help = "Example:\n  alt stats annotation remove 7")]
    Remove(StatsAnnotationRemove),
}

/// `alt stats annotation add`
#[derive(Debug, Args)]
pub struct StatsAnnotationAdd {
    /// The day, by the application's time zone: 2026-01-31, or today
    #[arg(value_name = "DAY")]
    pub day: String,
    /// What happened
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Let shares show it, too
    #[arg(long)]
    pub public: bool,
}

/// `alt stats annotation list`
#[derive(Debug, Args)]
pub struct StatsAnnotationList {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt stats annotation remove`
#[derive(Debug, Args)]
pub struct StatsAnnotationRemove {
    /// Its number, as the list shows it
    #[arg(value_name = "NUMBER")]
    pub id: i32,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// Verbs of `alt stats report`.
#[derive(Debug, Subcommand)]
pub enum StatsReport {
    /// Add a report; the daemon sends it
    #[command(after_help = "\
A period is over at midnight, by the application's time zone; its report is sent a quarter of an hour later, once all its days \
are computed. Channels are those of the configuration: mail, chat, webhook.

Examples:
  alt stats report add weekly --every week --channel mail
  alt stats report add 'My shop' --every month --channel mail --channel chat --app 'My shop' --language de --last")]
    Add(StatsReportAdd),
    /// List the reports
    #[command(after_help = "Example:\n  alt stats report list --json")]
    List(StatsReportList),
    /// Print a report of the last period that is over, as text, as a page or as a table
    #[command(after_help = "Example:\n  alt stats report show weekly --html > weekly.html")]
    Show(StatsReportShow),
    /// Remove a report
    #[command(after_help = "Example:\n  alt stats report remove weekly")]
    Remove(StatsReportRemove),
}

/// `alt stats report add`
#[derive(Debug, Args)]
pub struct StatsReportAdd {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How long its periods are: day, week (Monday to Sunday), month
    #[arg(long, value_name = "PERIOD")]
    pub every: String,
    /// Whom it is sent to: a channel of the configuration; several times: all of them
    #[arg(long = "channel", value_name = "CHANNEL", required = true)]
    pub channels: Vec<String>,
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// The language: en, de, ja, ko
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub language: String,
    /// Send it of the last period that is over, too, at once
    #[arg(long)]
    pub last: bool,
}

/// `alt stats report list`
#[derive(Debug, Args)]
pub struct StatsReportList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt stats report show`
#[derive(Debug, Args)]
pub struct StatsReportShow {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The application, by name or key; may be left out where one report alone has the name
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print a page of HTML, as a mail has it
    #[arg(long)]
    pub html: bool,
    /// Print the table that is attached to a mail
    #[arg(long, conflicts_with = "html")]
    pub csv: bool,
}

/// `alt stats report remove`
#[derive(Debug, Args)]
pub struct StatsReportRemove {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The application, by name or key; may be left out where one report alone has the name
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
}

/// The rows of which statistics by segments are shown.
#[derive(Debug, Args)]
pub struct StatsOf {
    /// The application, by name or key; may be left out where there is only one
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Which days, by the application's time zone: today, 7d, 30d, month, or 2026-01-01..2026-01-31
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    pub period: String,
    /// The class of traffic
    #[arg(long, value_name = "CLASS", default_value = "human")]
    pub class: String,
}

/// `alt stats journey`
#[derive(Debug, Args)]
pub struct StatsJourney {
    /// The path of the page
    #[arg(value_name = "PATH")]
    pub page: String,
    /// What it is of
    #[command(flatten)]
    pub of: StatsOf,
    /// Count only what this is true of, such as 'country is DE'; several times: all of them
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// The most pages of each side
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub limit: usize,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each page
    #[arg(long)]
    pub csv: bool,
}

/// How long the periods of people are.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum By {
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

/// `alt stats people`
#[derive(Debug, Args)]
pub struct StatsPeople {
    /// The application, by name or key; may be left out where there is only one
    #[arg(value_name = "APP")]
    pub app: Option<String>,
    /// Which days, by the application's time zone: 30d, month, or 2026-01-01..2026-01-31; without it, the last twelve days, weeks or
    /// months
    #[arg(long, value_name = "PERIOD")]
    pub period: Option<String>,
    /// How people are put together: by the day, week or month that they came first in
    #[arg(long, value_enum, value_name = "WHAT", default_value = "week")]
    pub by: By,
    /// The class of traffic
    #[arg(long, value_name = "CLASS", default_value = "human")]
    pub class: String,
    /// Count only what this is true of, such as 'country is DE'; several times: all of them
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each cohort and period
    #[arg(long)]
    pub csv: bool,
}

/// Within what the steps of a funnel are.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Within {
    /// A session.
    Session,
    /// A visitor's day.
    Day,
}

/// `alt stats funnel`
#[derive(Debug, Args)]
pub struct StatsFunnel {
    /// A step; several, in their order
    #[arg(long = "step", value_name = "STEP", required = true)]
    pub steps: Vec<String>,
    /// Within what the steps are
    #[arg(long, value_enum, value_name = "WHAT", default_value = "session")]
    pub within: Within,
    /// One step comes right after the other
    #[arg(long)]
    pub strict: bool,
    /// What it is of
    #[command(flatten)]
    pub of: StatsOf,
    /// Count only what this is true of, such as 'country is DE'; several times: all of them
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each step
    #[arg(long)]
    pub csv: bool,
}

/// `alt stats goals`
#[derive(Debug, Args)]
pub struct StatsGoals {
    /// What it is of
    #[command(flatten)]
    pub of: StatsOf,
    /// Count only what this is true of, such as 'country is DE'; several times: all of them
    #[arg(long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each goal
    #[arg(long)]
    pub csv: bool,
}

/// `alt stats performance`
#[derive(Debug, Args)]
pub struct StatsPerformance {
    /// What it is of
    #[command(flatten)]
    pub of: StatsOf,
    /// The most pages
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each page
    #[arg(long)]
    pub csv: bool,
}

/// `alt stats rebuild`
#[derive(Debug, Args)]
pub struct StatsRebuild {
    /// Only those of this application, by name or key
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Compute what is still to be computed, and nothing else again
    #[arg(long, conflicts_with = "app")]
    pub resume: bool,
}

/// `alt stats verify`
#[derive(Debug, Args)]
pub struct StatsVerify {
    /// Only days of this application, by name or key
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// The first day, as 2026-01-31
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub until: Option<Date>,
    /// JSON, an object for each day
    #[arg(long)]
    pub json: bool,
}

/// `alt stats import`
#[derive(Debug, Args)]
pub struct StatsImport {
    /// Tables (CSV), or ZIP archives of them
    #[arg(value_name = "FILE", required_unless_present = "remove", conflicts_with = "remove")]
    pub files: Vec<PathBuf>,
    /// The application, by name or key
    #[arg(long, value_name = "APP")]
    pub app: String,
    /// The first day, as 2026-01-31
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub until: Option<Date>,
    /// What a column with the name label is, as in Matomo's reports: page, source, country …
    #[arg(long, value_name = "DIMENSION")]
    pub dimension: Option<String>,
    /// Read the files, and store nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove the statistics that were imported for the application
    #[arg(long, conflicts_with = "dry_run")]
    pub remove: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt stats mark`
#[derive(Debug, Args)]
pub struct StatsMark {
    /// The application, by name or key
    #[arg(long, value_name = "APP")]
    pub app: String,
    /// The first time: 2026-01-31, 2026-01-31T12:00:00Z, or 7d ago
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// The time behind the last one
    #[arg(long, value_name = "TIME")]
    pub until: String,
}

/// `alt pages`
#[derive(Debug, Args)]
pub struct Pages {
    /// Where to write them
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// `alt setup`
#[derive(Debug, Args)]
#[command(after_help = "\
Says every step before it is taken; steps that are done already are left out, so it can be run again: with another \
--host or --app, too. The site that it wrote is written anew as long as nobody changed it by hand.

Pages load the script over https, so the site needs a certificate. Setup takes the first of these: --tls-cert; the \
one of certbot for this name; for a private name (shop.lan, 192.0.2.7) one that it signs itself; one that it gets by \
certbot, where certbot is installed and has an account or --email. Behind a load balancer that ends TLS, write \
--no-tls. Without any of these, setup writes the site for plain HTTP, says what is missing, and ends with exit code 3.

Examples:
  alt setup --dry-run
  alt setup --host events.example.com --app 'My shop' --domain example.com --email admin@example.com
  alt setup --host events.example.com --tls-cert /etc/ssl/events.pem --tls-key /etc/ssl/private/events.key
  alt setup --host events.example.com --no-tls
  alt setup --app 'My blog' --domain blog.example.com
  alt setup --web --host stats.example.com --email you@example.com")]
pub struct Setup {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// The host name that beacons are sent to; without it the site answers to any, if no other site does
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Name of an application to register; without it one that is called default, unless there is one
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// A domain whose pages this application tracks (several: repeat; none: all)
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// Time zone of this application (without it UTC)
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// The site's certificate, with those of the authorities between (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", requires = "host")]
    pub tls_cert: Option<PathBuf>,
    /// The key of this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Let certbot get a certificate for this mail address: that accepts the terms of Let's Encrypt
    #[arg(long, value_name = "ADDRESS", requires = "host")]
    pub email: Option<String>,
    /// TLS ends before this machine, at a load balancer: a site for plain HTTP is right
    #[arg(long, conflicts_with_all = ["tls_cert", "email"])]
    pub no_tls: bool,
    /// Leave nginx alone
    #[arg(long)]
    pub no_nginx: bool,
    /// Prepare the dashboard and the API (`alt serve`) under --host, and nothing else: site, certificate, unit
    #[arg(long, requires = "host", conflicts_with_all = ["app", "domains", "time_zone", "no_tls", "only_roles"])]
    pub web: bool,
    /// Only give the database that is there to its own roles, as an upgrade of the package does
    #[arg(long)]
    pub only_roles: bool,
}

/// `alt replay`
#[derive(Debug, Args)]
#[command(after_help = "\
A replay goes by what is in the database: lines that are rows already are counted as already loaded. It may be \
interrupted at any time; run again, it goes on from its last commit. Exit code 0 says that every line of every file \
is accounted for.

With --since, --until, --only-app or --match, no file counts as loaded afterwards, and what is rejected is only \
counted: a replay without them goes over all of it.

Where no --format is named, the first lines of the logs decide, and the summary says what was found. A log of which \
nearly all of the first lines are not of the format is not loaded, and the exit code is 1.

Give a file of the same format the label that its source has in the configuration: without event ids, the label is \
part of what tells lines apart.

Examples:
  alt replay /var/log/nginx/alt/rotated/
  alt replay --jobs 4 '/backup/beacon.log-2026*.gz'
  alt replay --format combined --app 'My shop' --label shop access.log.*.gz
  alt replay --since 2026-01-31 --until 2026-02-01 --only-app 'My shop' --dry-run /backup/2026/
  alt replay --again /backup/2026/01/
  alt replay --format combined --pixel matomo --site 1=Shop --site 2=Blog --label stats stats.log
  find /backup -name 'beacon.log*' -mtime -7 | alt replay --files-from - --order newest
  alt replay --jobs 2 /backup/logs-2025.tar.zst /backup/logs-2026.tar.gz
  ssh web-2 cat /var/log/nginx/alt/beacon.log.1 | alt replay -")]
pub struct Replay {
    /// Files (plain, .gz, .zst, .bz2; tar archives of them, packed or not), directories, patterns, - for standard input,
    /// or what is below s3://BUCKET/PREFIX/ or file:///PATH/ in an archive
    #[arg(required_unless_present_any = ["files_from", "missing"], value_name = "PATH")]
    pub paths: Vec<String>,
    /// Read what the archive of the configuration has and this database lacks
    #[arg(long)]
    pub missing: bool,
    /// Read what this file names too: one path a line, or with a NUL behind each (- for standard input)
    #[arg(long, value_name = "FILE")]
    pub files_from: Option<PathBuf>,
    /// Which files come first, by the time they were last written: oldest or newest
    #[arg(long, value_name = "WHICH", default_value = "oldest", hide_possible_values = true)]
    pub order: Order,
    /// Format of the lines: alt1, combined, common, vhost_combined, an nginx log_format string, or auto, by which the first
    /// lines decide
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, default_value = "auto")]
    pub format: String,
    /// What the log is of: the pixel of matomo, goatcounter, plausible or umami, or of your own (/px.gif?url=u&ref=r)
    #[arg(long, value_name = "PIXEL")]
    pub pixel: Option<String>,
    /// Which requests are events, by status: 2xx,304,500-599 or all [default: all, of a pixel all but redirects]
    #[arg(long, value_name = "LIST")]
    pub status: Option<String>,
    /// Name or key of the application whose hits these are, for formats that carry none
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// The application of one site, by its virtual host or the pixel's name for it (several: repeat)
    #[arg(long = "site", value_name = "NAME=APP", value_parser = alt_line::sites::pair)]
    pub sites: Vec<(String, String)>,
    /// The source's label, for formats without event ids: as configured where the log was written
    #[arg(long, value_name = "LABEL")]
    pub label: Option<String>,
    /// Only lines of this time or later: 2026-01-31, 2026-01-31T12:00:00Z (UTC where it says no zone), or 7d ago
    #[arg(long, value_name = "TIME", help_heading = "Which lines")]
    pub since: Option<String>,
    /// Only lines before this time
    #[arg(long, value_name = "TIME", help_heading = "Which lines")]
    pub until: Option<String>,
    /// Only hits of this application, by name or key (several: repeat)
    #[arg(long, value_name = "APP", help_heading = "Which lines")]
    pub only_app: Vec<String>,
    /// Only lines in which this regular expression matches somewhere
    #[arg(long = "match", value_name = "REGEX", allow_hyphen_values = true, help_heading = "Which lines")]
    pub pattern: Option<String>,
    /// Read what is loaded already again: rows that are missing are loaded, and rejects looked at again
    #[arg(long)]
    pub again: bool,
    /// Load a log although nearly all of its first lines are not of the format, and will be rejects
    #[arg(long)]
    pub accept_rejects: bool,
    /// Write nothing, and tell what would be loaded
    #[arg(long)]
    pub dry_run: bool,
    /// Files to load at the same time, by a connection each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

impl Replay {
    /// Loads a file of the format `alt1`.
    pub fn of(path: String) -> Replay {
        Replay {
            paths: vec![path],
            missing: false,
            files_from: None,
            order: Order::Oldest,
            format: "alt1".to_owned(),
            pixel: None,
            status: None,
            app: None,
            sites: Vec::new(),
            label: None,
            since: None,
            until: None,
            only_app: Vec::new(),
            pattern: None,
            again: false,
            accept_rejects: false,
            dry_run: false,
            jobs: 1,
            json: false,
        }
    }
}

/// `alt unload`
#[derive(Debug, Args)]
#[command(after_help = "\
Undoes a wrong import. A FILE is known by its content, and where it is not there any more, by its path; its rejects go \
too. A file that was taken out is not loaded again by itself, only by `alt replay`. Lines of other files that had been \
counted as already loaded, because these rows were there, come back with `alt replay --again` of those files.

One transaction for each month of rows. It may be interrupted, and run again.

Examples:
  alt unload --dry-run /backup/wrong.log.gz
  alt unload --app 'My shop' --since 2026-01-01 --until 2026-02-01")]
pub struct Unload {
    /// Files whose rows go
    #[arg(value_name = "FILE", required_unless_present = "app", conflicts_with = "app")]
    pub files: Vec<PathBuf>,
    /// The application, by name or key, whose rows go
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Only rows of this time or later: 2026-01-31, 2026-01-31T12:00:00Z, or 7d ago
    #[arg(long, value_name = "TIME", requires = "app", conflicts_with = "files")]
    pub since: Option<String>,
    /// Only rows before this time
    #[arg(long, value_name = "TIME", requires = "app", conflicts_with = "files")]
    pub until: Option<String>,
    /// Take nothing out, and tell how many rows would go
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt parse`
#[derive(Debug, Args)]
#[command(after_help = "\
Every line gives one object: `line` is what became of it (hit, non_hit, reject), `offset` its place in the \
uncompressed file. A line that another write tore gives one for each piece.

Examples:
  alt parse /var/log/nginx/alt/beacon.log | jq 'select(.line == \"reject\")'
  alt parse --format combined access.log.2.gz
  alt parse --format '$remote_addr [$time_local] \"$request\" $status' - < site.log")]
pub struct Parse {
    /// Files (plain, .gz, .zst, .bz2), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Format of the lines: alt1, combined, common, vhost_combined, an nginx log_format string, or auto, by which the first
    /// lines decide
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, default_value = "auto")]
    pub format: String,
    /// What the log is of: the pixel of matomo, goatcounter, plausible or umami, or of your own (/px.gif?url=u&ref=r)
    #[arg(long, value_name = "PIXEL")]
    pub pixel: Option<String>,
    /// Which requests are events, by status: 2xx,304,500-599 or all [default: all, of a pixel all but redirects]
    #[arg(long, value_name = "LIST")]
    pub status: Option<String>,
}

/// `alt report`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --output, --html or --json, a summary for the terminal. The page is one file without a script. Nothing is kept, and no \
database is asked. What does not fit into memory is sorted in TMPDIR (/var/tmp): some 300 bytes for each page view of a person.

In an access log, page views are GETs of people that were answered 2xx or 304 and name no static file; visitors are told apart by \
address and browser, for one local day each. Logs of beacons have more: events, countries by time zone, screens.

Examples:
  alt report /var/log/nginx/access.log
  alt report --output report.html /var/log/nginx/access.log*
  alt report --from 7d --json access.log | jq .people
  ssh web-1 cat /var/log/nginx/access.log | alt report -")]
pub struct Report {
    /// Files (plain, .gz, .zst, .bz2; tar archives of them, packed or not), directories, patterns, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<String>,
    /// Write the page into this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the page
    #[arg(long, conflicts_with_all = ["json", "output"])]
    pub html: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Format of the lines: alt1, combined, common, vhost_combined, an nginx log_format string, or auto, by which the first
    /// lines decide
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, default_value = "auto")]
    pub format: String,
    /// What the log is of: the pixel of matomo, goatcounter, plausible or umami, or of your own (/px.gif?url=u&ref=r)
    #[arg(long, value_name = "PIXEL")]
    pub pixel: Option<String>,
    /// Only hits of this time or later: 2026-01-31, 2026-01-31T12:00:00Z (local time where it says no zone), or 7d ago
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only hits before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The zone of days and hours, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// A domain of the site, subdomains included: it is no source (several: repeat) [default: the one whose pages request most
    /// static files]
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
}

/// `alt migrate`
#[derive(Debug, Args)]
#[command(after_help = "\
Safe to run at any time and by several at once; each step is one transaction.

Examples:
  alt migrate
  alt migrate --status")]
pub struct Migrate {
    /// Only show which migrations are applied; exit code 3 if some are not
    #[arg(long)]
    pub status: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt app`
#[derive(Debug, Subcommand)]
pub enum App {
    /// Register an application, and print its key and the line to paste
    #[command(after_help = "\
Examples:
  alt app add 'My shop' --domain example.com --domain example.net --time-zone Europe/Berlin")]
    Add(AppAdd),
    /// List the applications
    #[command(after_help = "Example:\n  alt app list --json")]
    List(JsonOnly),
    /// Show an application and the HTML line to paste into its pages
    #[command(after_help = "Example:\n  alt app show 'My shop' --host events.example.com")]
    Show(AppShow),
    /// Give an application another name; its key stays
    #[command(after_help = "Example:\n  alt app rename 'My shop' 'Our shop'")]
    Rename(AppRename),
    /// Choose the parameters of events that statistics keep the values of
    #[command(after_help = "\
Parameters are those that pages send with events, at most 30: alt('signup', {plan: 'pro'}) has plan. client_sub_id, module_id, \
entity_type and entity_id are columns. Statistics that are computed from now on have them; `alt stats rebuild` computes the days \
before. Without a name, those that are chosen are shown.

Examples:
  alt app properties 'My shop' plan coupon module_id
  alt stats --app 'My shop' --dimension property:plan")]
    Properties(AppProperties),
    /// Choose what page views are, or show it
    #[command(after_help = "\
events: the page views that pages send. requests: also GETs of the site's own log that were answered with a page (2xx or 304; no \
images, scripts, feeds or other static files). Choose requests for a site whose pages send nothing; with both, each view counts twice. \
The days before are computed again, except those that are frozen.

Examples:
  alt app page-views 'My docs' requests
  alt app page-views 'My docs'")]
    PageViews(AppPageViews),
    /// Take no more hits of an application; its rows stay
    #[command(after_help = "Example:\n  alt app disable 'My shop'")]
    Disable(AppOne),
    /// Take hits of a disabled application again
    #[command(after_help = "Example:\n  alt app enable 'My shop'")]
    Enable(AppOne),
}

/// `alt app add`
#[derive(Debug, Args)]
pub struct AppAdd {
    /// A name for people
    pub name: String,
    /// A domain whose pages it tracks and those below it (several: repeat; none: all)
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// Time zone of its days; it cannot be changed later
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub time_zone: String,
    /// Its key, where pages have one already: letters, digits, - and _ (else a new one that nobody can guess)
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// The host name that beacons are sent to, for the line to paste
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt app page-views`
#[derive(Debug, Args)]
pub struct AppPageViews {
    /// The application, by name or key
    #[arg(value_name = "APP")]
    pub app: String,
    /// What its page views are; without it, what they are is shown
    #[arg(value_name = "WHAT", value_parser = ["events", "requests"])]
    pub page_views: Option<String>,
}

/// `alt app properties`
#[derive(Debug, Args)]
pub struct AppProperties {
    /// The application, by name or key
    #[arg(value_name = "APP")]
    pub app: String,
    /// All properties that are kept from now on
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Keep none
    #[arg(long, conflicts_with = "names")]
    pub none: bool,
}

/// `alt beacon`
#[derive(Debug, Subcommand)]
pub enum Beacon {
    /// Make the script and the lines to paste; needs a database only where no --app is named
    #[command(after_help = "\
The same options give the same bytes. One script serves all applications: each page names its own. Under its second
name, with the hash of what is in it, a script never changes, and an old one is never deleted.

Examples:
  sudo alt beacon build --host events.example.com --out /var/www/alt
  alt beacon build --app KEY --host events.example.com --script q7.js --endpoint /q7 --global q7 --out .")]
    Build(BeaconBuild),
    /// Put the script into a bucket, for a CDN: what changes is kept for an hour, what never does for a year
    #[command(after_help = "\
Endpoint, region and path_style are those of [archive]; credentials come from the environment, a profile or the instance. \
Where scripts come from another host than beacons go to, --endpoint is a whole URL.

Example:
  alt beacon publish --to s3://my-scripts/s --scripts https://cdn.example.com/s/ \\
      --endpoint https://events.example.com/b --app KEY")]
    Publish(BeaconPublish),
}

impl Beacon {
    /// Whether it writes into a directory of this machine.
    pub fn writes_here(&self) -> bool {
        matches!(self, Beacon::Build(BeaconBuild { out: Some(_), .. }))
    }
}

/// `alt beacon build`
#[derive(Debug, Args)]
pub struct BeaconBuild {
    /// Where to write the files; without it, they are only told
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What is made.
    #[command(flatten)]
    pub made: BeaconMade,
}

/// `alt beacon publish`
#[derive(Debug, Args)]
pub struct BeaconPublish {
    /// Where to put the script, in a bucket that a CDN or browsers may read
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub to: String,
    /// What is made.
    #[command(flatten)]
    pub made: BeaconMade,
}

/// The options of a script.
#[derive(Debug, Args)]
pub struct BeaconMade {
    /// The key of an application (several: repeat; none: all that the database has)
    #[arg(long, value_name = "KEY")]
    pub app: Vec<String>,
    /// The host name that beacons are sent to
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The script's name
    #[arg(long, value_name = "NAME.js", default_value = crate::beacon::SCRIPT)]
    pub script: String,
    /// The URL of the folder that scripts are served from, if not https://HOST/s/
    #[arg(long, value_name = "URL")]
    pub scripts: Option<String>,
    /// Where requests go: a path on the script's host, or an https URL
    #[arg(long, value_name = "PATH", default_value = "/b")]
    pub endpoint: String,
    /// The name of the one global function
    #[arg(long, value_name = "NAME", default_value = "alt")]
    pub global: String,
    /// The part of an address behind # is part of the page
    #[arg(long)]
    pub hash: bool,
    /// Work in frames, too
    #[arg(long)]
    pub frames: bool,
    /// Endings of files whose links are downloads, or `long`
    #[arg(long, value_name = "LIST", default_value = crate::beacon::DOWNLOADS)]
    pub downloads: String,
    /// Send nothing from a browser in which somebody opened a page with #alt-off (#alt-on: again); alt is the global name
    #[arg(long)]
    pub off: bool,
    /// Only these parameters of a page's address, and utm_…, keep their values (else all whose name looks harmless)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// With opting out, helpers for searches and carts, screen and time zone
    #[arg(long)]
    pub full: bool,
    /// Send nothing before the page says so, by `alt("on")`; makes it --full
    #[arg(long)]
    pub wait: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt app show`
#[derive(Debug, Args)]
pub struct AppShow {
    /// Its name or key
    #[arg(value_name = "APP")]
    pub app: String,
    /// The host name that beacons are sent to
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt app rename`
#[derive(Debug, Args)]
pub struct AppRename {
    /// Its name or key
    #[arg(value_name = "APP")]
    pub app: String,
    /// The new name
    pub name: String,
}

/// An application.
#[derive(Debug, Args)]
pub struct AppOne {
    /// Its name or key
    #[arg(value_name = "APP")]
    pub app: String,
}

/// No options but this one.
#[derive(Debug, Args)]
pub struct JsonOnly {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt retention`
#[derive(Debug, Subcommand)]
pub enum Retention {
    /// Show what waits, what is known of the time, and what was deleted last; exit code 3 if something waits for you
    #[command(after_help = "Examples:\n  alt retention show\n  alt retention show --limit 1000 --json")]
    Show(RetentionShow),
    /// Say what day it is, or that old months may go: what waits for that is done within a minute
    #[command(after_help = "\
A clock that steps forward makes everything old at once. So nothing is deleted for its age while the clock is more than a \
day beyond what is known of the time; after a machine was off for longer than that, somebody has to say what day it is. Nor do \
more than two months of rows go at once before somebody says which. `alt check` says what to type.

Examples:
  alt retention confirm --today 2026-11-28
  alt retention confirm --drop-before 2025-10")]
    Confirm(RetentionConfirm),
}

/// `alt retention show`
#[derive(Debug, Args)]
pub struct RetentionShow {
    /// How many of the last things that were deleted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt retention confirm`
#[derive(Debug, Args)]
pub struct RetentionConfirm {
    /// What day it is (UTC), if that is also what the clocks of this machine and of the database say
    #[arg(long, value_name = "YYYY-MM-DD", required_unless_present = "drop_before")]
    pub today: Option<String>,
    /// The first month whose rows stay: those before it may go, however many, once `[retention] rows` lets them
    #[arg(long, value_name = "YYYY-MM")]
    pub drop_before: Option<String>,
}

/// `alt check`
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at the configuration, the logs, nginx, logrotate, the disk, PostgreSQL and the daemon, and stores a small object \
in the archive, which it removes where it may. Run by root it sees nginx's configuration, and looks at the rest as user alt. \
An account that is neither is told what it cannot see.

It sends a hit of its own through each public name, and follows it to its row, or to where it is lost: DNS, TLS, the \
answer, the log, a reject. The row is of the traffic class monitor and of the type alt_check, and no visitor's. Names are \
those of nginx's sites that take events, or [check] hosts.

A finding is an error (hits are lost), a warning or a note, and has its kind in brackets. Exit code 3 if there is an error or a \
warning that [check] accepted does not name; with --config-only, 78.

Examples:
  sudo alt check
  alt check --config-only
  alt check --nginx-conf /etc/nginx/nginx.conf --json")]
pub struct Check {
    /// Show what each role of PostgreSQL may do with the tables, and look at nothing else
    #[arg(long, conflicts_with_all = ["nginx_conf", "config_only"])]
    pub roles: bool,
    /// Look at nothing but the configuration: whether the daemon would take it
    #[arg(long, conflicts_with = "nginx_conf")]
    pub config_only: bool,
    /// Read nginx's configuration from this file (as `nginx -T` prints it, or nginx.conf) and not by `nginx -T`
    #[arg(long, value_name = "FILE")]
    pub nginx_conf: Option<PathBuf>,
    /// Send no hit through the public name
    #[arg(long)]
    pub no_request: bool,
    /// Where logrotate's configuration is
    #[arg(long, value_name = "DIR", default_value = "/etc/logrotate.d", hide = true)]
    pub logrotate_dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt status`
#[derive(Debug, Args)]
#[command(after_help = "\
With FILE, the exit code is 0 if every line of it is loaded, and with an archive, if it is archived; else 3. The file is known by its content, so a \
renamed, moved or compressed one is found too.

Without: gone, it is not on this disk any more; elsewhere, it is another host's; taken out, by `alt unload`; \
overtaken, another source has read on in it; missing, it was never loaded to its end, and no file goes on where it was \
loaded up to: its lines may be lost. A missing log is reported until it is found, loaded by `alt replay`, or forgotten.

Examples:
  alt status
  alt status --forget 12
  cd /var/log/nginx/alt/rotated && alt status beacon.log-20260101 && mv beacon.log-20260101 /backup/")]
pub struct Status {
    /// A log, live or rotated, plain or compressed
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Stop reporting a missing log, by its number (several: repeat) or `all`
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["file", "all_hosts", "json"])]
    pub forget: Vec<String>,
    /// Show the files of all hosts
    #[arg(long)]
    pub all_hosts: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt tail`
#[derive(Debug, Args)]
#[command(after_help = "\
For watching only: nothing is loaded, and lines may be left out when a log is rotated.

Examples:
  alt tail
  alt tail --format combined /var/log/nginx/access.log")]
pub struct Tail {
    /// Logs to watch [default: those of the configuration]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Format of the lines of FILE: alt1, combined, common, vhost_combined, or an nginx log_format string
    #[arg(
        long,
        value_name = "FORMAT",
        allow_hyphen_values = true,
        default_value = "alt1",
        requires = "files"
    )]
    pub format: String,
    /// What the log is of: the pixel of matomo, goatcounter, plausible or umami, or of your own (/px.gif?url=u&ref=r)
    #[arg(long, value_name = "PIXEL", requires = "files")]
    pub pixel: Option<String>,
    /// Which requests are events, by status: 2xx,304,500-599 or all [default: all, of a pixel all but redirects]
    #[arg(long, value_name = "LIST", requires = "files")]
    pub status: Option<String>,
}

/// A line may begin with a dash (an access log without addresses), but a mistyped option is no line.
fn line(text: &str) -> Result<String, String> {
    if text.len() > 1 && text.starts_with('-') && !text.contains(char::is_whitespace) {
        return Err(format!(
            "`{text}` is neither an option nor a line: `alt explain --help` lists the options"
        ));
    }
    Ok(text.to_owned())
}

/// `alt explain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tail -n1 /var/log/nginx/alt/beacon.log | alt explain
  tail -n1 /var/log/nginx/alt/beacon.log | alt explain --app 'My shop'
  alt explain --format combined '203.0.113.7 - - [31/Jan/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8\"'")]
pub struct Explain {
    /// The line; else the first line of standard input
    #[arg(allow_hyphen_values = true, value_parser = line)]
    pub line: Option<String>,
    /// Format of the line: alt1, combined, common, vhost_combined, an nginx log_format string, or auto, by which the line
    /// decides
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true, default_value = "auto")]
    pub format: String,
    /// What the log is of: the pixel of matomo, goatcounter, plausible or umami, or of your own (/px.gif?url=u&ref=r)
    #[arg(long, value_name = "PIXEL")]
    pub pixel: Option<String>,
    /// Which requests are events, by status: 2xx,304,500-599 or all [default: all, of a pixel all but redirects]
    #[arg(long, value_name = "LIST")]
    pub status: Option<String>,
    /// A domain of the application, as if it were registered with it (several: repeat)
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// The application, by name or key: with its domains, settings and exclusions. Asks the database
    #[arg(long, value_name = "APP", conflicts_with = "domains")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt rejects`
#[derive(Debug, Subcommand)]
pub enum Rejects {
    /// List them, the newest first
    #[command(after_help = "\
Examples:
  alt rejects list --since 1d
  alt rejects list --reason unknown_app --file /var/log/nginx/alt/beacon.log --json")]
    List(RejectsList),
    /// Look at them again, and load what can be loaded now
    #[command(after_help = "\
For rejects whose cause is gone: an application that is registered now, a line that a newer alt reads, a column that \
was mended. Lines are read from their files, and where these are not here, from the quarantine, as far as it has \
them. Each leaves it with what became of it; what is a row already is counted as already loaded.

Examples:
  alt rejects retry --reason unknown_app
  alt rejects retry --since 1d --json
  alt rejects retry /backup/beacon.log-20260131.gz")]
    Retry(RejectsRetry),
}

/// `alt rejects retry`
#[derive(Debug, Args)]
pub struct RejectsRetry {
    /// Files in which rejected lines may be, if they are not where they were seen last
    #[arg(value_name = "FILE")]
    pub paths: Vec<PathBuf>,
    /// Only of this reason
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// Only with this detail, such as the key of an application
    #[arg(long, value_name = "TEXT")]
    pub detail: Option<String>,
    /// Only of files whose path contains this
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
    /// Only rejected since: 2026-01-31, 2026-01-31T12:00:00Z, or 7d ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt rejects list`
#[derive(Debug, Args)]
pub struct RejectsList {
    /// Only of this reason
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// Only of files whose path contains this
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
    /// Only rejected since: 2026-01-31, 2026-01-31T12:00:00Z, or 7d ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt archive`
#[derive(Debug, Subcommand)]
pub enum Archive {
    /// List the objects, and whether they are loaded
    #[command(after_help = "\
Examples:
  alt archive list --since 7d
  alt archive list --json | jq 'map(select(.loaded | not))'")]
    List(ArchiveList),
    /// Print a log, or the raw line of one row
    #[command(after_help = "\
Of a row, the frame that holds its line is fetched, and no more.

Examples:
  alt archive get s3://bucket/prefix/dt=2026-01-31/host=web-1/beacon-….log.zst > beacon.log
  alt archive get --event 5f0c… --around 2026-01-31T12:00:00Z
  alt archive get --file 17 --offset 123456")]
    Get(ArchiveGet),
    /// Hold the archive against what the database says of it; exit code 3 if something is wrong
    #[command(after_help = "\
Examples:
  alt archive verify
  alt archive verify --deep --json")]
    Verify(ArchiveVerify),
    /// Delete objects of which all events are older, and loaded here
    #[command(after_help = "\
Needs a role that may delete, which the daemon's need not. A lifecycle rule of the bucket does the same without asking \
the database.

Examples:
  alt archive prune --before 2025-01-01 --dry-run
  alt archive prune --before 400d")]
    Prune(ArchivePrune),
}

/// `alt archive list`
#[derive(Debug, Args)]
pub struct ArchiveList {
    /// Only objects that may hold events of this time or later: 2026-01-31, 2026-01-31T12:00:00Z, or 7d ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only objects that may hold events before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt archive get`
#[derive(Debug, Args)]
pub struct ArchiveGet {
    /// The object: its URL, or its name in the archive that is configured
    #[arg(value_name = "OBJECT", conflicts_with_all = ["event", "file"])]
    pub object: Option<String>,
    /// The event whose line is wanted: `event_id` of its row
    #[arg(long, value_name = "ID", requires = "around", conflicts_with = "file")]
    pub event: Option<uuid::Uuid>,
    /// When it happened, within an hour: 2026-01-31T12:00:00Z, or 5m ago
    #[arg(long, value_name = "TIME", requires = "event")]
    pub around: Option<String>,
    /// The file whose line is wanted: `file_id` of a row
    #[arg(long, value_name = "N", requires = "offset")]
    pub file: Option<i32>,
    /// Where the line begins in it: `file_offset` of a row
    #[arg(long, value_name = "N", requires = "file")]
    pub offset: Option<u64>,
}

/// `alt archive verify`
#[derive(Debug, Args)]
pub struct ArchiveVerify {
    /// Read every object back, and compare its SHA-256 and that of the log in it
    #[arg(long)]
    pub deep: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt archive prune`
#[derive(Debug, Args)]
pub struct ArchivePrune {
    /// Objects go whose last event is before this time: 2026-01-31, or 400d for so many days ago
    #[arg(long, value_name = "TIME")]
    pub before: String,
    /// Delete nothing, and tell what would go
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_types_are_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_command_without_commands_of_its_own_has_an_example() {
        fn visit(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(visit);
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("  alt "), "{} has no example", command.get_name());
            }
        }
        super::Cli::command().get_subcommands().for_each(visit);
    }
}
