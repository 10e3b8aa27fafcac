//! The known products: the paths of their pixels, what their parameters mean, and what the event of a request is.
//!
//! The sources are the products' own documents: <https://developer.matomo.org/api-reference/tracking-api> and
//! matomo.js, <https://www.goatcounter.com/help/pixel> and count.js, <https://plausible.io/docs/events-api> and its
//! tracker, Umami's tracker and `/api/send`.

use super::super::beacon::Parameter as Ours;
use super::event::{Event, joined};
use super::{Meaning, Path, Pixel, Rule, Tell, is_path, origin};

/// A product, as a table.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) name: &'static str,
    /// How the paths of its pixel end; a `*` at the end stands for the site's name.
    paths: &'static [&'static str],
    names: &'static [(&'static str, Meaning)],
    /// Parameters that are left out.
    nothing: &'static [&'static str],
    rule: Rule,
}

impl Product {
    pub(super) fn pixel(&self) -> Pixel {
        let path = |path: &&'static str| match path.strip_suffix('*') {
            Some(folder) => Path::Site(folder),
            None => Path::End((*path).to_owned()),
        };
        let known = self.names.iter().map(|(name, meaning)| ((*name).into(), *meaning));
        let nothing = self.nothing.iter().map(|name| ((*name).into(), Meaning::Nothing));
        let paths = self.paths.iter().map(path).collect();
        Pixel::new(self.name, paths, known.chain(nothing).collect(), self.rule)
    }
}

pub(super) const ALL: [&Product; 4] = [&MATOMO, &GOATCOUNTER, &PLAUSIBLE, &UMAMI];

const MATOMO: Product = Product {
    name: "matomo",
    paths: &["/matomo.php", "/piwik.php", "/js/tracker.php", "/js/index.php", "/js/"],
    names: &[
        ("idsite", Meaning::Site),
        ("url", Meaning::Ours(Ours::PageUrl)),
        ("urlref", Meaning::Ours(Ours::Referrer)),
        ("action_name", Meaning::Ours(Ours::Title)),
        ("uid", Meaning::Ours(Ours::User)),
        ("_id", Meaning::Ours(Ours::ClientSub)),
        ("cid", Meaning::Ours(Ours::ClientSub)),
        ("pv_id", Meaning::Ours(Ours::PageView)),
        ("search", Meaning::Ours(Ours::SearchTerm)),
        ("search_count", Meaning::Ours(Ours::ResultCount)),
        ("res", Meaning::Screen),
        ("lang", Meaning::Language),
        ("cdt", Meaning::Time),
        ("cip", Meaning::Address),
        ("ua", Meaning::Agent),
        ("rec", Meaning::Tells(Tell::Recorded)),
        ("ping", Meaning::Tells(Tell::Ping)),
        ("e_a", Meaning::Tells(Tell::Action)),
        ("c_n", Meaning::Tells(Tell::Content)),
        ("c_i", Meaning::Tells(Tell::Interaction)),
        ("download", Meaning::Tells(Tell::Download)),
        ("link", Meaning::Tells(Tell::Link)),
        ("idgoal", Meaning::Tells(Tell::Goal)),
        ("ec_id", Meaning::Tells(Tell::Order)),
        ("_pks", Meaning::Tells(Tell::Product)),
        ("ca", Meaning::Tells(Tell::Custom)),
    ],
    #[rustfmt::skip]
    nothing: &[
        // random numbers, and what the response should be
        "r", "rand", "apiv", "send_image", "queuedtracking", "bots", "dp", "debug", "new_visit", "cs",
        // the browser's local time, and what its cookies contain
        "h", "m", "s", "_idts", "_idvc", "_idn", "_viewts", "_refts", "_ects",
        // what the browser can do
        "cookie", "fla", "java", "dir", "qt", "realp", "pdf", "wma", "gears", "ag", "uadata",
    ],
    rule: matomo,
};

/// Without `rec=1`, Matomo records nothing; a POST with all parameters in its body looks the same.
fn matomo(event: &mut Event<'_, '_>) -> bool {
    if event.take(Tell::Recorded) != "1" {
        return false;
    }
    let custom = event.flag(Tell::Custom);
    event.hit.event_type = if event.flag(Tell::Ping) {
        "engagement"
    } else if !event.told(Tell::Action).is_empty() {
        event.take(Tell::Action)
    } else if !event.told(Tell::Interaction).is_empty() {
        "content_interaction"
    } else if !event.told(Tell::Content).is_empty() {
        "content_impression"
    } else if !event.hit.search_term.is_empty() {
        "search"
    } else if !event.told(Tell::Download).is_empty() {
        "download"
    } else if !event.told(Tell::Link).is_empty() {
        "outbound"
    } else {
        match (event.told(Tell::Goal), event.told(Tell::Order)) {
            ("", _) if custom => "custom",
            ("", _) => "pageview",
            ("0", "") => "cart_update",
            ("0", _) => "order",
            _ => "goal",
        }
    };
    event.about("order", Tell::Order);
    match event.told(Tell::Goal) {
        "0" => drop(event.take(Tell::Goal)),
        _ => event.about("goal", Tell::Goal),
    }
    event.about("product", Tell::Product);
    true
}

const GOATCOUNTER: Product = Product {
    name: "goatcounter",
    paths: &["/count"],
    names: &[
        ("p", Meaning::Tells(Tell::Path)),
        ("t", Meaning::Ours(Ours::Title)),
        ("r", Meaning::Ours(Ours::Referrer)),
        ("e", Meaning::Tells(Tell::IsEvent)),
        ("q", Meaning::Tells(Tell::Query)),
        ("s", Meaning::Screen),
        ("b", Meaning::Tells(Tell::Robot)),
    ],
    nothing: &["rnd"],
    rule: goatcounter,
};

/// `p` is the page's path, with its query unless the page has a canonical URL; or the event's name.
fn goatcounter(event: &mut Event<'_, '_>) -> bool {
    let path = event.take(Tell::Path);
    if path.is_empty() {
        return false;
    }
    match event.told(Tell::Robot).parse::<u32>() {
        Ok(0) => drop(event.take(Tell::Robot)),
        Ok(_) => event.hit.automated = true,
        Err(_) => {}
    }
    if event.flag(Tell::IsEvent) {
        let name = path.trim_start_matches('/');
        event.hit.event_type = if name.is_empty() { "event" } else { name };
        return true;
    }
    let query = event.told(Tell::Query);
    let page = match path {
        _ if is_path(path) || !origin(path).is_empty() => path,
        _ => joined("/", path.trim_start_matches('/'), event.arena),
    };
    event.hit.page_url = match (page.contains('?'), query.starts_with('?')) {
        (true, _) if page.ends_with(query) => {
            event.take(Tell::Query);
            page
        }
        (false, true) => joined(page, event.take(Tell::Query), event.arena),
        _ => page,
    };
    true
}

const PLAUSIBLE: Product = Product {
    name: "plausible",
    paths: &["/api/event"],
    names: &[
        ("n", Meaning::Ours(Ours::EventType)),
        ("name", Meaning::Ours(Ours::EventType)),
        ("u", Meaning::Ours(Ours::PageUrl)),
        ("url", Meaning::Ours(Ours::PageUrl)),
        ("d", Meaning::Site),
        ("domain", Meaning::Site),
        ("r", Meaning::Ours(Ours::Referrer)),
        ("referrer", Meaning::Ours(Ours::Referrer)),
        ("w", Meaning::Ours(Ours::ScreenWidth)),
        ("screen_width", Meaning::Ours(Ours::ScreenWidth)),
        ("e", Meaning::Ours(Ours::Dwell)),
        ("sd", Meaning::Ours(Ours::ScrollDepth)),
        ("v", Meaning::Ours(Ours::BeaconVersion)),
    ],
    nothing: &["h", "hashMode"],
    rule: plausible,
};

/// Name and page are required. Plausible's own script sends both in a body, which no access log contains.
fn plausible(event: &mut Event<'_, '_>) -> bool {
    event.hit.event_type = match event.hit.event_type {
        "Outbound Link: Click" => "outbound",
        "File Download" => "download",
        "pageleave" => "engagement",
        other => other,
    };
    !event.hit.event_type.is_empty() && !event.hit.page_url.is_empty()
}

const UMAMI: Product = Product {
    name: "umami",
    paths: &["/api/send", "/api/collect", "/p/*"],
    names: &[
        ("website", Meaning::Site),
        ("pixel", Meaning::Site),
        ("link", Meaning::Site),
        ("hostname", Meaning::Hostname),
        ("url", Meaning::Ours(Ours::PageUrl)),
        ("referrer", Meaning::Ours(Ours::Referrer)),
        ("title", Meaning::Ours(Ours::Title)),
        ("name", Meaning::Ours(Ours::EventType)),
        ("event_name", Meaning::Ours(Ours::EventType)),
        ("id", Meaning::Ours(Ours::User)),
        ("vid", Meaning::Ours(Ours::ClientSub)),
        ("engagement", Meaning::Ours(Ours::Dwell)),
        ("screen", Meaning::Screen),
        ("language", Meaning::Language),
        ("timestamp", Meaning::Time),
        ("ip", Meaning::Address),
        ("userAgent", Meaning::Agent),
        ("type", Meaning::Tells(Tell::Kind)),
    ],
    nothing: &[],
    rule: umami,
};

/// The website is required. Umami's own script sends everything in a body, which no access log contains.
fn umami(event: &mut Event<'_, '_>) -> bool {
    match event.told(Tell::Kind) {
        "event" | "pageview" => drop(event.take(Tell::Kind)),
        kind @ ("identify" | "performance" | "engagement" | "error") if event.hit.event_type.is_empty() => {
            event.hit.event_type = kind;
            event.take(Tell::Kind);
        }
        _ => {}
    }
    !event.site.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::NAMES_MAX;
    use super::*;

    #[test]
    fn every_name_has_one_meaning() {
        for product in ALL {
            let pixel = product.pixel();
            assert!(pixel.names.len() <= NAMES_MAX, "{}", product.name);
            for (at, (name, _)) in pixel.names.iter().enumerate() {
                assert_eq!(pixel.find(name), Some(at), "{}: {name} is there twice", product.name);
            }
            assert_eq!(pixel.find("p.x"), None);
            assert!(product.paths.iter().all(|path| path.starts_with('/')));
        }
    }
}
