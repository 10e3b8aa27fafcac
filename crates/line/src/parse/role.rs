//! What the variables of a `log_format` mean for a hit.
//!
//! A variable that is not named here is kept in `params` under its own name. Addresses and names of clients are never
//! kept there, because nothing would truncate them; addresses of servers are.

use super::{leaves, list};
use crate::hit::Micros;

/// Not of nginx: what stands before the time in `combined` and `common`.
pub(super) const FRONT: &str = "alt_front";
/// The same in `vhost_combined`.
pub(super) const FRONT_WITH_HOST: &str = "alt_front_with_host";

/// Headers by which proxies name the client, as nginx names their variables after `http_`.
#[rustfmt::skip]
const FORWARDED: [&str; 25] = [
    "x_forwarded_for", "x_real_ip", "forwarded", "cf_connecting_ip", "cf_connecting_ipv6", "cf_pseudo_ipv4",
    "true_client_ip", "cloudfront_viewer_address", "x_client_ip", "client_ip", "x_cluster_client_ip", "x_forwarded",
    "forwarded_for", "x_original_forwarded_for", "x_envoy_external_address", "fastly_client_ip", "fly_client_ip",
    "do_connecting_ip", "x_azure_clientip", "x_azure_socketip", "x_appengine_user_ip", "x_remote_ip",
    "x_remote_addr", "x_originating_ip", "x_nf_client_connection_ip",
];

/// Whether the variable is about servers, whose addresses are kept.
pub(super) fn is_of_a_server(variable: &str) -> bool {
    ["server_", "upstream_", "proxy_protocol_server_", "proxy_host", "hostname"]
        .iter()
        .any(|begin| variable.starts_with(begin))
}

/// What a variable's value is used for. Of several variables for one use, the one with the lowest rank is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Time(TimeKind),
    Id,
    Status,
    Address,
    /// The client's address, or its name, which is never kept.
    AddressOrName,
    Forwarded,
    /// What stands before the time in the named formats, with the virtual host first or not.
    Front {
        has_host: bool,
    },
    User,
    Request,
    Method,
    Target,
    Path,
    Args,
    Host(u8),
    /// A port, kept under its own name.
    Port,
    Bytes(u8),
    RequestTime,
    UpstreamTime,
    /// A list with an element for each server that nginx asked, kept under its own name.
    List(list::Kind),
    Referer,
    UserAgent,
    Language,
    Origin,
    Trace(u8),
    OptOut,
    Purpose,
    /// Known, but not needed beside the others.
    Ignored,
    /// A parameter under its own name.
    Other,
}

/// How a time is written, the most precise first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeKind {
    Seconds,
    Iso8601,
    Local,
}

impl TimeKind {
    pub(super) fn read(self, value: &[u8]) -> Option<Micros> {
        match self {
            TimeKind::Seconds => leaves::seconds(value),
            TimeKind::Iso8601 => leaves::rfc3339(value),
            TimeKind::Local => leaves::time_local(value),
        }
    }
}

/// Where a value ends if no literal follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// It always has this many bytes.
    Bytes(usize),
    /// It contains no `/`.
    NoSlash,
    Any,
}

impl Role {
    /// The role of a variable of nginx.
    pub(super) fn of(variable: &str) -> Role {
        match variable {
            "msec" => Role::Time(TimeKind::Seconds),
            "time_iso8601" => Role::Time(TimeKind::Iso8601),
            "time_local" => Role::Time(TimeKind::Local),
            "request_id" => Role::Id,
            "status" => Role::Status,
            "remote_addr" => Role::Address,
            "remote_host" => Role::AddressOrName,
            FRONT => Role::Front { has_host: false },
            FRONT_WITH_HOST => Role::Front { has_host: true },
            "proxy_add_x_forwarded_for" | "proxy_protocol_addr" => Role::Forwarded,
            _ if FORWARDED.contains(&variable.strip_prefix("http_").unwrap_or_default()) => Role::Forwarded,
            "remote_user" => Role::User,
            "request" => Role::Request,
            "request_method" => Role::Method,
            "request_uri" => Role::Target,
            "uri" | "document_uri" => Role::Path,
            "args" | "query_string" => Role::Args,
            "host" => Role::Host(0),
            "http_host" => Role::Host(1),
            "server_name" => Role::Host(2),
            "server_port" | "remote_port" | "proxy_protocol_port" | "proxy_protocol_server_port" => {
                Role::Port
            }
            "bytes_sent" => Role::Bytes(0),
            "body_bytes_sent" => Role::Bytes(1),
            "request_time" => Role::RequestTime,
            "upstream_response_time" => Role::UpstreamTime,
            "http_referer" => Role::Referer,
            "http_user_agent" => Role::UserAgent,
            "http_accept_language" => Role::Language,
            "http_origin" => Role::Origin,
            "alt_trace" => Role::Trace(0),
            "http_traceparent" => Role::Trace(1),
            "http_x_amzn_trace_id" => Role::Trace(2),
            "http_sec_gpc" | "http_dnt" => Role::OptOut,
            "http_sec_purpose" => Role::Purpose,
            "realip_remote_addr" | "binary_remote_addr" | "remote_ident" | "is_args" => Role::Ignored,
            _ => list::Kind::of(variable).map_or(Role::Other, Role::List),
        }
    }

    /// Of two variables with one role, the one with the lower rank is used.
    pub(super) fn rank(self) -> u8 {
        match self {
            Role::Time(kind) => kind as u8,
            Role::Host(rank) | Role::Bytes(rank) | Role::Trace(rank) => rank,
            _ => 0,
        }
    }

    /// Whether only one of two variables with these roles can be used.
    pub(super) fn is_rival_of(self, other: Role) -> bool {
        let shared = matches!(
            self,
            Role::Other | Role::Ignored | Role::OptOut | Role::Forwarded | Role::Port | Role::List(_)
        );
        !shared && std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// The role of a variable if a better one is used instead.
    pub(super) fn when_second(self) -> Role {
        match self {
            Role::Host(_) | Role::Bytes(_) | Role::Trace(_) => Role::Other,
            _ => Role::Ignored,
        }
    }

    /// Where a value ends if no literal follows.
    pub(super) fn span(self) -> Span {
        match self {
            Role::Time(TimeKind::Local) => Span::Bytes(26),
            Role::Time(TimeKind::Iso8601) => Span::Bytes(25),
            Role::Id => Span::Bytes(32),
            Role::Host(_) => Span::NoSlash,
            _ => Span::Any,
        }
    }

    /// Whether a line with an invalid value of this role is rejected for a reason of its own.
    pub(super) fn has_reason(self) -> bool {
        matches!(self, Role::Time(_) | Role::Id | Role::Status)
    }

    /// Whether a value looks like one of this role. The check only has to tell where the value ends.
    pub(super) fn fits(self, value: &[u8]) -> bool {
        let all = |known: &[u8]| value.iter().all(|b| b.is_ascii_digit() || known.contains(b));
        match self {
            Role::Time(TimeKind::Seconds) => all(b"."),
            Role::Time(TimeKind::Iso8601) => value.len() >= 20 && value[10] == b'T',
            Role::Time(TimeKind::Local) => value.len() == 26 && value[2] == b'/',
            Role::Id => value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit),
            Role::Status => value.len() == 3 && all(b""),
            Role::Bytes(_) => all(b"-"),
            Role::RequestTime => all(b".-"),
            Role::UpstreamTime => all(b".,: -"),
            Role::Port => all(b"-"),
            _ => true,
        }
    }

    /// Whether a value that ends before a space may end `length` bytes after the beginning of `rest`, where a list may
    /// go on.
    pub(super) fn may_end(self, rest: &[u8], length: usize) -> bool {
        match self {
            Role::List(_) | Role::UpstreamTime => list::may_end(rest, length),
            Role::Address | Role::AddressOrName | Role::Forwarded => !rest[..length].ends_with(b","),
            _ => true,
        }
    }
}
