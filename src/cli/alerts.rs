//! The arguments of `alt alerts`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs of `alt alerts`.
#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// List the open alerts, or all
    #[command(after_help = "\
Exit code 3: there is none.

Examples:
  alt alerts list
  alt alerts list --all --rule 'error rate' --json")]
    List(AlertsList),
    /// Show an alert: what became of it, who did what, who was told
    #[command(after_help = "Example:\n  alt alerts show 12")]
    Show(AlertsShow),
    /// Show why there is an alert: its rule, and what was measured around its beginning
    #[command(after_help = "Example:\n  alt alerts explain 12 --json")]
    Explain(AlertsShow),
    /// Show how many alerts there were, how long it took until somebody looked after them, and how long they lasted
    #[command(after_help = "\
Exit code 3: there was none.

Examples:
  alt alerts stats
  alt alerts stats --app shop --since 7d --json")]
    Stats(AlertsStats),
    /// Say that you look after an alert: nobody is reminded for a while
    #[command(after_help = "\
Examples:
  alt alerts ack 12
  alt alerts ack 12 --for 1d --note 'the provider works on it'")]
    Ack(AlertsAck),
    /// End an alert by hand; it fires again only after its rule did not hold once
    #[command(after_help = "Example:\n  alt alerts resolve 12 --note 'a test'")]
    Resolve(AlertsResolve),
    /// Silences: alerts of which nobody is told for a time
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt alerts silence add --rule 'error rate' --for 2h --note deployment
  alt alerts silence list
  alt alerts silence end 3"
    )]
    Silence(Silence),
    /// Rules: when there is an alert
    #[command(
        subcommand,
        after_help = "\
Examples:
  alt alerts rule samples --add
  alt alerts rule add rules.toml
  alt alerts rule list"
    )]
    Rule(AlertRule),
    /// Show which alerts a rule would have made, by the rows that are there; stores nothing
    #[command(after_help = "\
Examples:
  alt alerts backtest 'error rate' --since 7d
  alt alerts backtest rules.toml --since 30d --app 'My shop'")]
    Backtest(AlertsBacktest),
    /// Try rules on made events, by a file; needs no database
    #[command(after_help = "\
The file has the rules, and tests of them. Times are MM:SS or HH:MM:SS from the beginning:

  [[rule]]
  name = \"errors\"
  metric = \"errors\"
  window = \"10s\"
  compare = \"> 2\"

  [[test]]
  rule = \"errors\"
  until = \"00:30\"
  events = [{ from = \"00:02\", until = \"00:08\", every = \"1s\", status = 500 }]
  expect = [{ began = \"00:05\", ended = \"00:20\" }]

Events say numbers by numbers = { price = 9.99 }; a rule with sample looks at these alone.

Exit code 3: a test failed.

Example:
  alt alerts test rules.toml")]
    Test(AlertsTest),
}

/// `alt alerts list`
#[derive(Debug, Args)]
pub struct AlertsList {
    /// Also those that are over
    #[arg(long)]
    pub all: bool,
    /// Key or name of an application
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Name of a rule
    #[arg(long, value_name = "NAME")]
    pub rule: Option<String>,
    /// low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", value_parser = ["low", "medium", "high", "critical"])]
    pub severity: Option<String>,
    /// The most alerts
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
    pub limit: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt alerts show`, `alt alerts explain`
#[derive(Debug, Args)]
pub struct AlertsShow {
    /// Number of the alert
    #[arg(value_name = "ID")]
    pub id: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt alerts stats`
#[derive(Debug, Args)]
pub struct AlertsStats {
    /// Key or name of an application; all, and the installation, if left out
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Those that began from then on: a time, or how long ago
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt alerts ack`
#[derive(Debug, Args)]
pub struct AlertsAck {
    /// Number of the alert
    #[arg(value_name = "ID")]
    pub id: i64,
    /// How long: 30m, 4h, 1d
    #[arg(long = "for", value_name = "TIME", default_value = "4h")]
    pub span: String,
    /// What others should know
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// `alt alerts resolve`
#[derive(Debug, Args)]
pub struct AlertsResolve {
    /// Number of the alert
    #[arg(value_name = "ID")]
    pub id: i64,
    /// What others should know
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Verbs of `alt alerts silence`.
#[derive(Debug, Subcommand)]
pub enum Silence {
    /// Tell nobody of some alerts for a time, from now on or later
    #[command(after_help = "\
A * is any text. An alert that is still open when the silence ends is told of then.

Examples:
  alt alerts silence add --rule 'error rate' --for 2h
  alt alerts silence add --rule 'disk*' --until-resolved --note 'a new disk is ordered'
  alt alerts silence add --app shop --for 1d --dry-run
  alt alerts silence add --app shop --from 2026-12-24T20:00:00Z --for 4h --note 'the new server'
  alt alerts silence add --rule 'no lines' --weekly 'mon-fri 22:00-06:00, sun 00:00-24:00' --zone Europe/Berlin
  alt alerts silence add --app shop --label 'path=/api/*' --for 1d --note 'a known defect'")]
    Add(SilenceAdd),
    /// List the silences that are not over
    #[command(after_help = "Example:\n  alt alerts silence list --json")]
    List(Json),
    /// End a silence now
    #[command(after_help = "Example:\n  alt alerts silence end 3")]
    End(SilenceEnd),
}

/// `alt alerts silence add`
#[derive(Debug, Args)]
#[group(id = "silenced", required = true, multiple = true, args = ["rule", "app", "label"])]
pub struct SilenceAdd {
    /// Names of rules
    #[arg(long, value_name = "PATTERN")]
    pub rule: Option<String>,
    /// Keys of applications
    #[arg(long, value_name = "PATTERN")]
    pub app: Option<String>,
    /// Values of a label: NAME=PATTERN
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// How long: 30m, 4h, 1d
    #[arg(long = "for", value_name = "TIME", required_unless_present_any = ["weekly", "until_resolved"])]
    pub span: Option<String>,
    /// When it begins, if not now: a time that is to come
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until none of the alerts is open that it is about and that are open now
    #[arg(long, conflicts_with_all = ["span", "weekly", "from"])]
    pub until_resolved: bool,
    /// Only in these windows of the week: mon-fri 22:00-06:00
    #[arg(long, value_name = "WINDOWS")]
    pub weekly: Option<String>,
    /// The time zone of --weekly
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "weekly")]
    pub zone: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Silence nothing, and list the open alerts that it would be about
    #[arg(long)]
    pub dry_run: bool,
}

/// `alt alerts silence end`
#[derive(Debug, Args)]
pub struct SilenceEnd {
    /// Number of the silence
    #[arg(value_name = "ID")]
    pub id: i32,
}

/// A list that can be printed as JSON.
#[derive(Debug, Args)]
pub struct Json {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Verbs of `alt alerts rule`.
#[derive(Debug, Subcommand)]
pub enum AlertRule {
    /// Add the rules of a file of TOML; - reads the standard input
    #[command(after_help = "\
A rule judges what comes from now on; with --from, also what is there since then.

Examples:
  alt alerts rule add rules.toml
  alt alerts rule add rules.toml --replace --from 7d")]
    Add(RuleAdd),
    /// List the rules
    #[command(after_help = "Example:\n  alt alerts rule list --json")]
    List(Json),
    /// Remove a rule: its open alerts end, and its history stays
    #[command(after_help = "Example:\n  alt alerts rule remove 'error rate'")]
    Remove(RuleName),
    /// Judge a rule again
    #[command(after_help = "Example:\n  alt alerts rule enable 'no lines'")]
    Enable(RuleName),
    /// Judge a rule no longer: its open alerts end
    #[command(after_help = "Example:\n  alt alerts rule disable 'no lines'")]
    Disable(RuleName),
    /// Print rules to begin with, or add those that are not there
    #[command(after_help = "\
Examples:
  alt alerts rule samples > rules.toml
  alt alerts rule samples --add")]
    Samples(RuleSamples),
}

/// `alt alerts rule add`
#[derive(Debug, Args)]
pub struct RuleAdd {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// From when on it judges: a time, or how long ago (7d)
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// A rule that is there gets another version
    #[arg(long)]
    pub replace: bool,
}

/// A rule.
#[derive(Debug, Args)]
pub struct RuleName {
    /// Name of the rule
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `alt alerts rule samples`
#[derive(Debug, Args)]
pub struct RuleSamples {
    /// Add them
    #[arg(long)]
    pub add: bool,
}

/// `alt alerts backtest`
#[derive(Debug, Args)]
pub struct AlertsBacktest {
    /// Name of a rule, or a file of rules
    #[arg(value_name = "RULE")]
    pub rule: String,
    /// From when on: a time, or how long ago
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub since: String,
    /// Key or name of an application; all that the rule is about if left out
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `alt alerts test`
#[derive(Debug, Args)]
pub struct AlertsTest {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
