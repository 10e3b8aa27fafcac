//! Made traffic of a shop, as nginx would log it: what `alt demo` loads.
//!
//! The same seed and time give the same lines, and the same seed at another time the same visitors. People come by day more than by night, and from many places; they read, search, put
//! things into the cart, and some of them buy. Crawlers come too.

use std::io::{self, Write};

use fastrand::Rng;
use url::form_urlencoded::Serializer;

/// The host of its pages.
pub const HOST: &str = "fern-and-field.example";

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The application's key.
    pub key: String,
    /// The end of the traffic, milliseconds since 1970.
    pub until: u64,
    /// How many days before it there is traffic.
    pub days: u32,
    /// People a day, on average.
    pub visitors: u32,
    /// What the traffic is made of.
    pub seed: u64,
}

/// Something with a weight.
type Weighted<T> = (u32, T);

/// Products: the path, the title, the price.
const PRODUCTS: [Weighted<(&str, &str, f64)>; 14] = [
    (20, ("/shop/copper-watering-can", "Copper watering can", 48.0)),
    (16, ("/shop/oak-raised-bed", "Raised bed of oak", 189.0)),
    (14, ("/shop/wildflower-seeds", "Wildflower seeds", 6.5)),
    (12, ("/shop/hand-forged-spade", "Hand-forged spade", 79.0)),
    (11, ("/shop/terracotta-pots", "Terracotta pots, set of 5", 34.9)),
    (10, ("/shop/leather-gloves", "Leather gloves", 29.0)),
    (9, ("/shop/beehive-kit", "Beehive kit", 245.0)),
    (8, ("/shop/herb-garden", "Kitchen herb garden", 24.9)),
    (7, ("/shop/greenhouse-mini", "Small greenhouse", 320.0)),
    (6, ("/shop/compost-bin", "Compost bin", 64.0)),
    (5, ("/shop/pruning-shears", "Pruning shears", 39.0)),
    (4, ("/shop/rain-barrel", "Rain barrel", 99.0)),
    (3, ("/shop/bird-feeder", "Bird feeder", 27.5)),
    (2, ("/shop/garden-bench", "Garden bench", 410.0)),
];

/// Other pages: the path, the title.
const PAGES: [Weighted<(&str, &str)>; 12] = [
    (40, ("/", "Fern & Field: for gardens that last")),
    (14, ("/shop", "Shop")),
    (9, ("/shop/tools", "Tools")),
    (7, ("/shop/seeds", "Seeds")),
    (12, ("/journal/when-to-plant-tomatoes", "When to plant tomatoes")),
    (10, ("/journal/a-garden-for-bees", "A garden for bees")),
    (8, ("/journal/compost-in-six-weeks", "Compost in six weeks")),
    (6, ("/journal", "Journal")),
    (5, ("/journal/pruning-roses", "Pruning roses")),
    (4, ("/about", "About us")),
    (3, ("/delivery", "Delivery and returns")),
    (2, ("/contact", "Contact")),
];

/// Where people come from: the referrer, and the query of the first page.
const SOURCES: [Weighted<(&str, &str)>; 20] = [
    (300, ("", "")),
    (230, ("https://www.google.com/", "")),
    (40, ("https://www.google.de/", "")),
    (34, ("https://www.bing.com/", "")),
    (28, ("https://duckduckgo.com/", "")),
    (12, ("https://www.ecosia.org/", "")),
    (46, ("https://chatgpt.com/", "")),
    (17, ("https://www.perplexity.ai/", "")),
    (9, ("https://claude.ai/", "")),
    (52, ("https://www.instagram.com/", "utm_source=instagram&utm_medium=social&utm_campaign=spring-garden")),
    (30, ("https://www.pinterest.com/", "")),
    (22, ("https://www.reddit.com/r/gardening/", "")),
    (18, ("https://www.youtube.com/", "")),
    (12, ("https://m.facebook.com/", "fbclid=IwAR0demo")),
    (58, ("", "utm_source=newsletter&utm_medium=email&utm_campaign=november-letter")),
    (26, ("", "utm_source=newsletter&utm_medium=email&utm_campaign=black-friday")),
    (48, ("https://www.google.com/", "gclid=demo&utm_source=google&utm_medium=cpc&utm_campaign=raised-beds")),
    (20, ("https://www.theguardian.com/lifeandstyle/gardens", "")),
    (14, ("https://news.ycombinator.com/", "")),
    (9, ("https://blog.bee-friends.example/", "")),
];

/// Browsers: the user agent, width and height of the screen.
const BROWSERS: [Weighted<(&str, u32, u32)>; 12] = [
    (
        260,
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            1920,
            1080,
        ),
    ),
    (
        210,
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 \
             Mobile/15E148 Safari/604.1",
            390,
            844,
        ),
    ),
    (
        190,
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
            412,
            915,
        ),
    ),
    (
        110,
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 \
             Safari/605.1.15",
            1512,
            982,
        ),
    ),
    (
        80,
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
             Safari/537.36",
            1728,
            1117,
        ),
    ),
    (
        55,
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
             Safari/537.36 Edg/142.0.0.0",
            1920,
            1080,
        ),
    ),
    (40, ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", 2560, 1440)),
    (22, ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", 1920, 1200)),
    (20, ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", 393, 873)),
    (
        18,
        (
            "Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 \
             Chrome/130.0.0.0 Mobile Safari/537.36",
            360,
            780,
        ),
    ),
    (
        14,
        (
            "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 \
             Mobile/15E148 Safari/604.1",
            820,
            1180,
        ),
    ),
    (
        8,
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 \
             OPR/126.0.0.0",
            1366,
            768,
        ),
    ),
];

/// Time zones, and what the browsers there prefer.
const PLACES: [Weighted<(&str, &str)>; 14] = [
    (260, ("America/New_York", "en-US")),
    (120, ("America/Los_Angeles", "en-US")),
    (150, ("Europe/London", "en-GB")),
    (130, ("Europe/Berlin", "de-DE")),
    (60, ("Europe/Paris", "fr-FR")),
    (45, ("Europe/Amsterdam", "nl-NL")),
    (40, ("America/Toronto", "en-CA")),
    (35, ("Australia/Sydney", "en-AU")),
    (30, ("Asia/Tokyo", "ja")),
    (25, ("Asia/Seoul", "ko-KR")),
    (22, ("Europe/Stockholm", "sv-SE")),
    (20, ("Asia/Kolkata", "en-IN")),
    (18, ("Europe/Madrid", "es-ES")),
    (12, ("America/Sao_Paulo", "pt-BR")),
];

/// What people search for, and how much they find.
const SEARCHES: [Weighted<(&str, u32)>; 9] = [
    (20, ("watering can", 6)),
    (16, ("raised bed", 4)),
    (12, ("seeds", 41)),
    (10, ("tomato", 9)),
    (8, ("gloves", 3)),
    (6, ("christmas tree", 0)),
    (5, ("voucher", 0)),
    (4, ("bees", 5)),
    (3, ("lawn mower", 0)),
];

/// Crawlers that run the script or fetch the picture.
const CRAWLERS: [Weighted<&str>; 6] = [
    (30, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (16, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    (
        22,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    ),
    (
        14,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    ),
    (
        8,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
    ),
    (12, "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"),
];

/// How many of 100 people are awake and online in each hour of their UTC day, about.
const HOURS: [u32; 24] =
    [34, 30, 26, 22, 20, 24, 32, 44, 56, 66, 72, 76, 80, 86, 92, 96, 98, 100, 98, 94, 86, 72, 56, 44];

/// The same for the days of a week, from Monday.
const WEEK: [u32; 7] = [96, 94, 95, 97, 92, 108, 118];

fn draw<'a, T>(all: &'a [Weighted<T>], rng: &mut Rng) -> &'a T {
    let sum: u32 = all.iter().map(|one| one.0).sum();
    let mut at = rng.u32(..sum);
    for (weight, one) in all {
        if at < *weight {
            return one;
        }
        at -= weight;
    }
    &all[0].1
}

/// A time of roughly this mean, and never much shorter or longer.
fn about(mean: u64, rng: &mut Rng) -> u64 {
    let factor = 0.2 + -rng.f64().max(1e-3).ln() * 0.8;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // of seconds, and never below 0
    let time = (mean as f64 * factor) as u64;
    time
}

/// A line, and its time.
type Line = (u64, String);

impl Demo {
    /// Writes the lines, in the order of their times. Returns how many.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, to: &mut impl Write) -> io::Result<u64> {
        let mut lines: Vec<Line> = Vec::new();
        let mut count = 0;
        let from = self.until.saturating_sub(u64::from(self.days) * DAY);
        for day in 0..u64::from(self.days) {
            let begin = from + day * DAY;
            self.day(begin, day, &mut lines);
            lines.sort();
            // What happens after the day's end is written with the next.
            let end = begin + DAY;
            let later = lines.split_off(lines.partition_point(|line| line.0 < end));
            count += lines.len() as u64;
            for (_, line) in lines.drain(..) {
                to.write_all(line.as_bytes())?;
            }
            lines = later;
        }
        Ok(count)
    }

    /// Makes what begins within a day. On days with the same number the same visitors do the same, at whatever time the
    /// traffic ends; the weekday says how many come, and the hours how they lie in the day.
    fn day(&self, begin: u64, day: u64, lines: &mut Vec<Line>) {
        let of_day =
            |what: u64| Rng::with_seed(self.seed.wrapping_mul(1_000_003).wrapping_add(2 * day + what));
        let (rng, crawlers) = (&mut of_day(0), &mut of_day(1));
        // Since 1970, which began on a Thursday.
        let weekday = usize::try_from((begin / DAY + 3) % 7).unwrap_or(0);
        let grown = 85 + 30 * day / u64::from(self.days.max(1));
        let visitors =
            u64::from(self.visitors) * u64::from(WEEK[weekday]) * grown * rng.u64(92..108) / 1_000_000;
        for _ in 0..visitors {
            let (at, awake, at_noon) = (begin + rng.u64(..DAY), rng.u32(..100), rng.u64(..10 * HOUR));
            let hour = usize::try_from(at % DAY / HOUR).unwrap_or(0);
            // Who is asleep comes at noon.
            let at = if awake < HOURS[hour] { at } else { at / DAY * DAY + 11 * HOUR + at_noon };
            // The day begins at any hour: what is outside of it is moved by a day, and keeps its hour.
            let at = if at < begin {
                at + DAY
            } else if at >= begin + DAY {
                at - DAY
            } else {
                at
            };
            Visit::new(self, rng).go(at, lines, rng);
        }
        for _ in 0..visitors / 4 {
            let rng = &mut *crawlers;
            let agent = draw(&CRAWLERS, rng);
            let (path, title) = if rng.bool() { *draw(&PAGES, rng) } else { product(rng) };
            let mut visit = Visit::new(self, rng);
            visit.agent = agent;
            visit.at = begin + rng.u64(..DAY);
            visit.look(path, title, "", "", lines, rng);
        }
    }
}

fn product(rng: &mut Rng) -> (&'static str, &'static str) {
    let (path, title, _) = *draw(&PRODUCTS, rng);
    (path, title)
}

/// Somebody on the site.
struct Visit<'d> {
    demo: &'d Demo,
    address: String,
    agent: &'static str,
    screen: (u32, u32),
    zone: &'static str,
    language: &'static str,
    user: Option<u32>,
    at: u64,
    /// The page, and the number of its view.
    page: (String, u64),
    before: String,
}

impl Visit<'_> {
    fn new<'d>(demo: &'d Demo, rng: &mut Rng) -> Visit<'d> {
        let (agent, width, height) = *draw(&BROWSERS, rng);
        let (zone, language) = *draw(&PLACES, rng);
        // Addresses for documentation (RFC 3849).
        let address = format!("2001:db8:{:x}:{:x}::{:x}", rng.u16(..), rng.u16(..), rng.u16(1..));
        let user = (rng.u32(..100) < 12).then(|| rng.u32(1000..1400));
        let (page, before) = ((String::new(), 0), String::new());
        Visit { demo, address, agent, screen: (width, height), zone, language, user, at: 0, page, before }
    }

    /// Visits the site, once or twice a day.
    fn go(&mut self, at: u64, lines: &mut Vec<Line>, rng: &mut Rng) {
        self.at = at;
        let (referrer, query) = *draw(&SOURCES, rng);
        self.session(referrer, query, lines, rng);
        if rng.u32(..100) < 11 {
            self.at += HOUR + rng.u64(..4 * HOUR);
            self.session("", "", lines, rng);
        }
    }

    fn session(&mut self, referrer: &str, query: &str, lines: &mut Vec<Line>, rng: &mut Rng) {
        self.before.clear();
        let (path, title) = if query.contains("raised-beds") {
            ("/shop/oak-raised-bed", "Raised bed of oak")
        } else if rng.u32(..100) < 24 {
            product(rng)
        } else {
            *draw(&PAGES, rng)
        };
        self.look(path, title, referrer, query, lines, rng);
        while rng.u32(..100) < 62 {
            self.leave(45 * SECOND, lines, rng);
            if rng.u32(..100) < 9 {
                let (term, found) = *draw(&SEARCHES, rng);
                self.at += about(4 * SECOND, rng);
                let found = found.to_string();
                self.event("search", &[("q", term), ("n", &found)], lines, rng);
            }
            let (path, title) = if rng.u32(..100) < 48 { product(rng) } else { *draw(&PAGES, rng) };
            self.look(path, title, "", "", lines, rng);
            let bought = PRODUCTS.iter().find(|product| product.1.0 == path);
            if let Some((_, (path, title, price))) = bought
                && rng.u32(..100) < 14
            {
                self.buy(path, title, *price, lines, rng);
            }
        }
        if rng.u32(..100) < 8 {
            let to = "https://www.instagram.com/fernandfield";
            self.at += about(9 * SECOND, rng);
            self.event("outbound", &[("el", "a.social"), ("tx", "Instagram"), ("href", to)], lines, rng);
        }
        self.leave(70 * SECOND, lines, rng);
    }

    /// Puts a product into the cart, and perhaps pays.
    fn buy(&mut self, path: &str, title: &str, price: f64, lines: &mut Vec<Line>, rng: &mut Rng) {
        self.at += about(20 * SECOND, rng);
        self.event(
            "click",
            &[("x", "71"), ("y", "38"), ("el", "button#add"), ("tx", "Add to cart")],
            lines,
            rng,
        );
        let id = path.rsplit('/').next().unwrap_or(path);
        let count = 1 + rng.u32(..3) / 2;
        let total = format!("{:.2}", price * f64::from(count));
        let product = [("et", "product"), ("ei", id), ("j.total", &total), ("p.category", title)];
        self.event("cart_add", &product, lines, rng);
        self.leave(20 * SECOND, lines, rng);
        self.look("/cart", "Your cart", "", "", lines, rng);
        self.leave(25 * SECOND, lines, rng);
        if rng.u32(..100) < 62 {
            self.look("/checkout", "Checkout", "", "", lines, rng);
            self.leave(80 * SECOND, lines, rng);
            if rng.u32(..100) < 70 {
                let order = rng.u32(100_000..999_999).to_string();
                self.look("/thanks", "Thank you", "", "", lines, rng);
                self.event(
                    "order",
                    &[("et", "order"), ("ei", &order), ("j.total", &total), ("j.currency", "EUR")],
                    lines,
                    rng,
                );
            }
        }
    }

    /// Opens a page.
    fn look(
        &mut self,
        path: &str,
        title: &str,
        referrer: &str,
        query: &str,
        lines: &mut Vec<Line>,
        rng: &mut Rng,
    ) {
        let question = if query.is_empty() { "" } else { "?" };
        self.page = (format!("https://{HOST}{path}{question}{query}"), (rng.u64(..) >> 12) ^ self.demo.until);
        let (width, height) = (self.screen.0.to_string(), self.screen.1.to_string());
        let before = std::mem::take(&mut self.before);
        let referrer = if before.is_empty() { referrer } else { &before };
        let mut more = vec![("t", title), ("sw", &width), ("sh", &height), ("tz", self.zone)];
        if !referrer.is_empty() {
            more.push(("r", referrer));
        }
        self.event("pageview", &more, lines, rng);
        self.before.clone_from(&self.page.0);
    }

    /// Has seen a page for a time.
    fn leave(&mut self, mean: u64, lines: &mut Vec<Line>, rng: &mut Rng) {
        let seen = about(mean, rng).max(2 * SECOND);
        self.at += seen;
        let (seen, depth) = ((seen * rng.u64(55..100) / 100).to_string(), rng.u32(18..101).to_string());
        self.event("engagement", &[("d", &seen), ("sd", &depth)], lines, rng);
        self.at += SECOND;
    }

    fn event(&mut self, kind: &str, more: &[(&str, &str)], lines: &mut Vec<Line>, rng: &mut Rng) {
        let mut query = Serializer::new(String::new());
        query.append_pair("e", kind).append_pair("a", &self.demo.key);
        query.append_pair("pv", &format!("{:013x}", self.page.1)).append_pair("u", &self.page.0);
        if let Some(user) = self.user {
            query.append_pair("i", &format!("customer-{user}"));
        }
        query.extend_pairs(more);
        // Another run has other ids.
        let (at, id) = (self.at, rng.u128(..) ^ u128::from(self.demo.until));
        // Two events of a page come one after the other.
        self.at += 300 + rng.u64(..400);
        if at >= self.demo.until {
            return;
        }
        let line = format!(
            "alt1\t{}.{:03}\t{id:032x}\t{}\tGET\t204\t{HOST}\t/b\t{}\thttps://{HOST}/\t{}\t{}\t\t\t\t\t\t512\t\n",
            at / SECOND,
            at % SECOND,
            self.address,
            query.finish(),
            self.agent,
            self.language
        );
        lines.push((at, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_another_time_the_same_visitors_come() {
        let lines = |until: u64| {
            let mut text = Vec::new();
            let demo = Demo { key: "demo".to_owned(), until, days: 3, visitors: 50, seed: 1 };
            demo.write(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        // Without times, ids and numbers of page views.
        let who = |text: &str| -> Vec<String> {
            let mut all: Vec<String> = text
                .lines()
                .map(|line| {
                    let columns: Vec<&str> = line.split('\t').collect();
                    let query =
                        columns[8].split("&pv=").map(|part| part.split_once('&').map_or(part, |it| it.1));
                    format!("{} {}", columns[3], query.collect::<Vec<_>>().join("&"))
                })
                .collect();
            all.sort();
            all
        };
        let until = 1_790_000_000_000;
        let (now, a_week_later) = (lines(until), lines(until + 7 * DAY));
        assert_eq!(who(&now), who(&a_week_later));
        let ids = |text: &str| -> std::collections::BTreeSet<String> {
            text.lines().map(|line| line.split('\t').nth(2).unwrap().to_owned()).collect()
        };
        assert!(ids(&now).is_disjoint(&ids(&a_week_later)));
        // The hours of the days lie elsewhere, and what is after the end is not there.
        let (now, later) = (who(&now), who(&lines(until + 7 * DAY + 7 * HOUR)));
        let same = now.iter().filter(|line| later.binary_search(line).is_ok()).count();
        assert!(same * 10 > now.len() * 9, "{same} of {}", now.len());
    }

    #[test]
    fn the_lines_are_in_order_within_their_time_and_always_the_same() {
        let until = 1_790_000_000_000;
        let demo = Demo { key: "demo".to_owned(), until, days: 3, visitors: 50, seed: 1 };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let count = demo.write(&mut one).unwrap();
        demo.write(&mut other).unwrap();
        assert_eq!(one, other);
        let text = String::from_utf8(one).unwrap();
        let times: Vec<&str> = text.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
        assert_eq!(times.len() as u64, count);
        assert!(count > 300 && times.is_sorted(), "{count}");
        let from = until - 3 * DAY;
        assert!(times[0] >= format!("{}", from / SECOND).as_str());
        assert!(*times.last().unwrap() < format!("{}", until / SECOND).as_str());
        for kind in ["pageview", "engagement", "click", "search", "cart_add", "order", "outbound"] {
            assert!(text.contains(&format!("e={kind}&")), "{kind}");
        }
    }
}
