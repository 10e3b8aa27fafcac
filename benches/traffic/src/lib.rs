//! Traffic as sites have it, made from a seed: the lines that nginx would log, and the same lines every time.
//!
//! Visitors come and go, see several pages of a site, stay a while on each, click, search and buy; what they do comes
//! as `beacon/beacon.js` sends it. Sites, pages and user agents are as frequent as Zipf's law says, with a long tail of
//! agents that hardly anybody has. Beside people there are crawlers, headless browsers, servers that send JSON, lines
//! that are no events, and about one in 700 that cannot be loaded.
//!
//! Nothing here knows files, clocks or `alt`.

mod random;
mod text;
mod world;

use random::Random;
use text::{hex, local_time, number};
use world::{Page, Site, World, rare_agent};

/// How long a visitor does nothing between two events, on the average, seconds. So many times the rate are there at once.
const PAUSE_S: usize = 20;

/// Visitors at once, at most: memory, and the time it takes to look at one.
const VISITS_MAX: usize = 50_000;

const CRAWLERS: [&str; 8] = [
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/141.0.7390.122 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.7390.122 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/136.0.0.0 Safari/537.36",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
];

const CAMPAIGNS: [&str; 5] = [
    "utm_source=newsletter&utm_medium=email&utm_campaign=spring_26",
    "utm_source=google&utm_medium=cpc&utm_campaign=brand&utm_content=a1",
    "utm_source=facebook&utm_medium=paid_social&utm_campaign=autumn&utm_id=23857",
    "ref=partner-17",
    "utm_source=Jahresende+f%C3%BCr+alle&utm_medium=banner",
];

const SCREENS: [(u16, u16); 6] =
    [(1920, 1080), (390, 844), (1536, 864), (360, 800), (1440, 900), (2560, 1440)];

#[derive(Debug, Clone)]
struct Visit {
    site: usize,
    page: usize,
    before: Option<usize>,
    referrer: usize,
    agent: usize,
    rare_agent: Option<Box<str>>,
    crawler: Option<&'static str>,
    address: Box<str>,
    language: &'static str,
    /// What stands behind the page's address, as a parameter's value.
    campaign: Option<Box<str>>,
    opted_out: bool,
    user: Option<u32>,
    screen: (u16, u16),
    view: u64,
    session: u64,
    last_ms: u64,
    events_left: u8,
    page_is: Told,
    depth: u8,
}

/// How far a page view is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Nothing,
    Seen,
    Left,
}

/// Lines, one by one.
#[derive(Debug)]
pub struct Traffic {
    world: World,
    random: Random,
    visits: Vec<Visit>,
    at_us: u64,
    pause_us: f64,
    query: Vec<u8>,
    second: (u64, String),
}

impl Traffic {
    /// The first line is of this time, milliseconds since 1970; so many follow in a second. The sites are the same for
    /// every seed.
    pub fn new(seed: u64, first_ms: u64, per_second: f64) -> Self {
        Traffic::mostly(0, seed, first_ms, per_second)
    }

    /// The same, with a percentage of the visits that are of the first site, whatever its share of the others.
    pub fn mostly(largest: u8, seed: u64, first_ms: u64, per_second: f64) -> Self {
        let mut world = World::new(1);
        world.largest = largest;
        let mut random = Random::new(seed ^ 0x7261_6666_6963);
        let count = ((per_second * PAUSE_S as f64) as usize).clamp(20, VISITS_MAX);
        let visits = (0..count).map(|_| visit(&world, first_ms, &mut random)).collect();
        Traffic {
            world,
            random,
            visits,
            at_us: first_ms * 1000,
            pause_us: 1e6 / per_second,
            query: Vec::new(),
            second: (0, String::new()),
        }
    }

    /// The time of the next line, milliseconds since 1970.
    pub fn next_ms(&self) -> u64 {
        self.at_us / 1000
    }

    /// SQL that registers the applications.
    pub fn sql(&self) -> String {
        self.world.sql()
    }

    fn tick(&mut self) -> u64 {
        let now = self.next_ms();
        self.at_us += self.random.exponential(self.pause_us) as u64;
        now
    }

    /// Appends a line of `alt1`, with its newline.
    pub fn alt1(&mut self, to: &mut Vec<u8>) {
        let now = self.tick();
        match self.random.below(10_000) {
            0..15 => return self.reject(now, to),
            15..40 => return self.non_hit(now, to),
            40..240 => return self.json(now, to),
            _ => {}
        }
        let which = self.random.below(self.visits.len());
        let leaves = self.event(now, which);
        let visit = &self.visits[which];
        let site = &self.world.sites[visit.site];
        let method: &[u8] = if leaves { b"POST" } else { b"GET" };
        head(to, now, &mut self.random, &visit.address, method, 204, site.collector, b"/b");
        to.extend_from_slice(&self.query);
        tail(to, site, visit, &self.world, leaves);
        number(to, 260 + self.query.len() as u64 + 2 * visit.language.len() as u64);
        to.extend_from_slice(b"\t\n");
        self.go_on(now, which);
    }

    /// Appends a line of `combined`: pages and what belongs to them, with its newline.
    pub fn combined(&mut self, to: &mut Vec<u8>) {
        let (now, which) = self.common(to);
        let (visit, random) = (&self.visits[which], &mut self.random);
        let site = &self.world.sites[visit.site];
        let target = site.pages[visit.page].target.as_bytes();
        to.extend_from_slice(if random.happens(300) { b"POST " } else { b"GET " });
        match random.below(10) {
            0..4 => to.extend_from_slice(target),
            4..9 => {
                to.extend_from_slice(b"/static/");
                hex(to, random.bits(), 8);
                to.extend_from_slice(random.one(&[&b".js"[..], b".css", b".webp", b".woff2"]));
            }
            _ => {
                to.extend_from_slice(b"/api/items?id=");
                number(to, random.below(9000) as u64);
            }
        }
        let status = random.one(&[200, 200, 200, 200, 200, 200, 200, 304, 301, 404]);
        to.extend_from_slice(b" HTTP/1.1\" ");
        number(to, status);
        to.push(b' ');
        number(to, random.exponential(9000.0) as u64);
        self.referer_and_agent(which, to);
        self.end_of_page(now, which);
    }

    /// Appends a line of `combined` of a Matomo server, with its newline; the sites are 1 to 50.
    pub fn matomo(&mut self, to: &mut Vec<u8>) {
        let (now, which) = self.common(to);
        let (visit, random) = (&self.visits[which], &mut self.random);
        let page = &self.world.sites[visit.site].pages[visit.page];
        to.extend_from_slice(b"GET /matomo.php?action_name=");
        to.extend_from_slice(page.title_encoded.as_bytes());
        to.extend_from_slice(b"&idsite=");
        number(to, visit.site as u64 + 1);
        to.extend_from_slice(b"&rec=1&r=");
        number(to, random.below(1_000_000) as u64);
        to.extend_from_slice(b"&h=13&m=13&s=20&url=");
        to.extend_from_slice(page.url_encoded.as_bytes());
        to.extend_from_slice(b"&urlref=");
        to.extend_from_slice(self.world.referrers[visit.referrer].as_bytes());
        to.extend_from_slice(b"&_id=");
        hex(to, visit.session, 16);
        to.extend_from_slice(
            b"&_idn=1&send_image=0&_refts=0&pdf=1&qt=0&realp=0&wma=0&fla=0&java=0&ag=0&cookie=1&res=",
        );
        number(to, visit.screen.0.into());
        to.push(b'x');
        number(to, visit.screen.1.into());
        to.extend_from_slice(b"&pv_id=");
        hex(to, visit.view, 6);
        to.extend_from_slice(b" HTTP/1.1\" 200 54");
        self.referer_and_agent(which, to);
        self.end_of_page(now, which);
    }

    /// What a line of `combined` begins with; its time, and whose it is.
    fn common(&mut self, to: &mut Vec<u8>) -> (u64, usize) {
        let now = self.tick();
        let which = self.random.below(self.visits.len());
        if self.second.0 != now / 1000 {
            self.second = (now / 1000, local_time(now / 1000));
        }
        to.extend_from_slice(self.visits[which].address.as_bytes());
        to.extend_from_slice(b" - - [");
        to.extend_from_slice(self.second.1.as_bytes());
        to.extend_from_slice(b"] \"");
        (now, which)
    }

    fn referer_and_agent(&self, which: usize, to: &mut Vec<u8>) {
        let visit = &self.visits[which];
        let site = &self.world.sites[visit.site];
        to.extend_from_slice(b" \"");
        to.extend_from_slice(site.pages[visit.before.unwrap_or(visit.page)].url.as_bytes());
        to.extend_from_slice(b"\" \"");
        to.extend_from_slice(agent(visit, &self.world).as_bytes());
        to.extend_from_slice(b"\"\n");
    }

    fn end_of_page(&mut self, now: u64, which: usize) {
        self.visits[which].page_is = Told::Left;
        self.go_on(now, which);
    }

    /// Writes what a visitor's browser says next into `query`; whether it says so as the page is left.
    fn event(&mut self, now: u64, which: usize) -> bool {
        let Traffic { world, random, visits, query, .. } = self;
        let visit = &mut visits[which];
        let site = &world.sites[visit.site];
        query.clear();
        if visit.crawler.is_some() && random.happens(3000) {
            // no script, only the picture
            query.extend_from_slice(b"a=");
            query.extend_from_slice(site.key.as_bytes());
            visit.page_is = Told::Left;
            return false;
        }
        let page = &site.pages[visit.page];
        if visit.page_is == Told::Nothing {
            visit.page_is = if visit.crawler.is_some() { Told::Left } else { Told::Seen };
            start(query, b"pageview", now, visit, site);
            if site.is_full {
                query.extend_from_slice(b"&sw=");
                number(query, visit.screen.0.into());
                query.extend_from_slice(b"&sh=");
                number(query, visit.screen.1.into());
                query.extend_from_slice(b"&tz=");
                query.extend_from_slice(site.time_zone.as_bytes());
            }
            the_page(query, page, visit);
            query.extend_from_slice(b"&t=");
            query.extend_from_slice(page.title_encoded.as_bytes());
            let referrer = visit
                .before
                .map_or(&world.referrers[visit.referrer], |before| &site.pages[before].url_encoded);
            if !referrer.is_empty() {
                query.extend_from_slice(b"&r=");
                query.extend_from_slice(referrer.as_bytes());
            }
            return false;
        }
        if visit.events_left > 0 {
            visit.events_left -= 1;
            match random.below(100) {
                0..62 => click(query, now, visit, site, random),
                62..72 => {
                    let (element, href) = random.of(&site.links).split_once('|').expect("of two parts");
                    start(query, b"outbound", now, visit, site);
                    place(query, random);
                    query.extend_from_slice(element.as_bytes());
                    the_page(query, page, visit);
                    query.extend_from_slice(href.as_bytes());
                }
                72..84 => {
                    start(query, b"search", now, visit, site);
                    query.extend_from_slice(b"&search_term=");
                    query.extend_from_slice(random.of(&site.terms).as_bytes());
                    query.extend_from_slice(b"&result_count=");
                    number(query, random.exponential(20.0) as u64);
                    the_page(query, page, visit);
                }
                84..94 => {
                    start(query, b"cart_add", now, visit, site);
                    query.extend_from_slice(b"&entity_type=product&entity_id=");
                    number(query, random.below(9000) as u64);
                    query.extend_from_slice(b"&quantity=");
                    number(query, 1 + random.below(3) as u64);
                    the_page(query, page, visit);
                }
                _ => {
                    start(query, random.one(&[&b"order"[..], b"signup", b"video_play"]), now, visit, site);
                    query.extend_from_slice(b"&plan=pro&total=");
                    number(query, random.exponential(60.0) as u64);
                    query.extend_from_slice(b".90&step=");
                    number(query, random.below(4) as u64);
                    the_page(query, page, visit);
                }
            }
            return false;
        }
        visit.page_is = Told::Left;
        start(query, b"engagement", now, visit, site);
        query.extend_from_slice(b"&d=");
        number(query, (now - visit.last_ms).min(90_000) * (30 + random.below(70) as u64) / 100 + 1);
        visit.depth = visit.depth.max(random.below(101) as u8);
        query.extend_from_slice(b"&sd=");
        number(query, visit.depth.into());
        the_page(query, page, visit);
        true
    }

    /// What a visitor does after an event.
    fn go_on(&mut self, now: u64, which: usize) {
        let Traffic { world, random, visits, .. } = self;
        let visit = &mut visits[which];
        visit.last_ms = now;
        if visit.page_is != Told::Left {
            return;
        }
        match random.below(100) {
            // comes back to the window, and leaves it again
            0..12 if visit.crawler.is_none() => visit.page_is = Told::Seen,
            0..68 => {
                visit.before = Some(visit.page);
                visit.page = world.sites[visit.site].seen.draw(random);
                visit.view = random.bits() >> 12;
                visit.events_left = events(random);
                (visit.page_is, visit.depth) = (Told::Nothing, 0);
            }
            _ => *visit = self::visit(world, now, random),
        }
    }

    /// A server tells of an event by `POST /api/v1/track`.
    fn json(&mut self, now: u64, to: &mut Vec<u8>) {
        let Traffic { world, random, .. } = self;
        let site = &world.sites[world.site(random)];
        head(to, now, random, "198.51.100.17", b"POST", 204, site.collector, b"/api/v1/track");
        to.extend_from_slice(b"\t\tshop-backend/2.4 (+https://shop.example)\t\t\t\t\t\t\t");
        number(to, 540);
        // as nginx's escape=json writes quotes
        let body = format!(
            "{{\"application_id\":\"{}\",\"event_type\":\"order\",\"page_url\":\"{}\",\"user_id\":\"u{}\",\"entity_type\":\
             \"order\",\"entity_id\":\"{}\",\"custom_params\":{{\"total\":{}.90,\"currency\":\"EUR\",\"items\":[{},{}]}}}}",
            site.key,
            random.of(&site.pages).url,
            random.below(90_000),
            random.bits() >> 40,
            random.below(300),
            random.below(9000),
            random.below(9000)
        );
        to.push(b'\t');
        to.extend_from_slice(body.replace('"', "\\\"").as_bytes());
        to.push(b'\n');
    }

    /// No event: refused, asked before it is sent, or of a method that is none.
    fn non_hit(&mut self, now: u64, to: &mut Vec<u8>) {
        let Traffic { world, random, .. } = self;
        let visit = visit(world, now, random);
        let site = &world.sites[visit.site];
        let (method, status) = random.one(&[
            (&b"GET"[..], 429),
            (b"POST", 429),
            (b"OPTIONS", 204),
            (b"HEAD", 204),
            (b"PUT", 405),
        ]);
        head(to, now, random, &visit.address, method, status, site.collector, b"/b");
        start(to, b"pageview", now, &visit, site);
        the_page(to, &site.pages[visit.page], &visit);
        tail(to, site, &visit, world, false);
        to.extend_from_slice(b"412\t\n");
    }

    /// A line that cannot become a row.
    fn reject(&mut self, now: u64, to: &mut Vec<u8>) {
        let Traffic { world, random, .. } = self;
        let visit = visit(world, now, random);
        let site = &world.sites[visit.site];
        let which = random.below(15);
        let path: &[u8] = if which < 2 { b"/api/v1/track" } else { b"/b" };
        let from = to.len();
        head(
            to,
            now,
            random,
            &visit.address,
            if which < 2 { b"POST" } else { b"GET" },
            204,
            site.collector,
            path,
        );
        match which {
            0 | 1 => {}
            2..10 => {
                to.extend_from_slice(b"v=1&e=pageview&a=deleted");
                number(to, random.below(40) as u64);
                the_page(to, &site.pages[visit.page], &visit);
            }
            _ => to.extend_from_slice(b"x=1"),
        }
        tail(to, site, &visit, world, false);
        to.extend_from_slice(b"300\t");
        if which < 2 {
            to.extend_from_slice(b"{\\\"application_id\\\":\\\"");
        }
        if which == 14 {
            // a disk that was full
            let half = from + (to.len() - from) / 2;
            to.truncate(half);
        }
        to.push(b'\n');
    }
}

fn events(random: &mut Random) -> u8 {
    // four pages of ten have a click or more
    let events = [0, 0, 0, 0, 0, 0, 1, 1, 1, 3];
    random.one(&events)
}

fn visit(world: &World, now: u64, random: &mut Random) -> Visit {
    let site = world.site(random);
    let view = random.bits() >> 12;
    let address = if random.happens(2500) {
        let b = random.bits();
        format!(
            "2a{:02x}:{:x}:{:x}:{:x}::{:x}",
            b & 15,
            b >> 8 & 0xffff,
            b >> 24 & 0xffff,
            b >> 40 & 0xff,
            b >> 48
        )
    } else {
        let b = random.bits().to_be_bytes();
        format!("{}.{}.{}.{}", 20 + b[0] % 70, b[1], b[2], b[3])
    };
    let campaign = match random.below(1000) {
        0..70 => Some((random.one(&CAMPAIGNS)).to_owned()),
        70..95 => Some(format!("gclid={}", letters(random, 90))),
        95..96 => {
            // what no person would write
            let length = 1000 + random.below(5000);
            Some(format!("state={}", letters(random, length)))
        }
        _ => None,
    };
    let crawler = random.happens(400).then(|| random.one(&CRAWLERS));
    Visit {
        site,
        page: world.sites[site].seen.draw(random),
        before: None,
        referrer: world.referred.draw(random),
        agent: world.used.draw(random),
        rare_agent: random.happens(120).then(|| rare_agent(random).into()),
        crawler,
        address: address.into(),
        language: random.one(world.sites[site].languages),
        campaign: campaign.map(|campaign| text::encoded(&campaign).into()),
        opted_out: random.happens(500),
        user: random.happens(800).then(|| random.below(90_000) as u32),
        screen: random.one(&SCREENS),
        view,
        session: view,
        last_ms: now,
        events_left: if crawler.is_some() { 0 } else { events(random) },
        page_is: Told::Nothing,
        depth: 0,
    }
}

fn letters(random: &mut Random, count: usize) -> String {
    (0..count)
        .map(|_| char::from(random.one(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")))
        .collect()
}

fn agent<'a>(visit: &'a Visit, world: &'a World) -> &'a str {
    visit.crawler.or(visit.rare_agent.as_deref()).unwrap_or(&world.agents[visit.agent])
}

/// The fields before the query.
#[allow(clippy::too_many_arguments)] // a line has that many fields
fn head(
    to: &mut Vec<u8>,
    now: u64,
    random: &mut Random,
    address: &str,
    method: &[u8],
    status: u64,
    host: &str,
    path: &[u8],
) {
    to.extend_from_slice(b"alt1\t");
    number(to, now / 1000);
    to.push(b'.');
    let ms = now % 1000;
    to.extend_from_slice(&[
        b'0' + (ms / 100) as u8,
        b'0' + (ms / 10 % 10) as u8,
        b'0' + (ms % 10) as u8,
        b'\t',
    ]);
    hex(to, random.bits(), 16);
    hex(to, random.bits(), 16);
    to.push(b'\t');
    to.extend_from_slice(address.as_bytes());
    to.push(b'\t');
    to.extend_from_slice(method);
    to.push(b'\t');
    number(to, status);
    to.push(b'\t');
    to.extend_from_slice(host.as_bytes());
    to.push(b'\t');
    to.extend_from_slice(path);
    to.push(b'\t');
}

/// The fields behind the query, up to the length of the request.
fn tail(to: &mut Vec<u8>, site: &Site, visit: &Visit, world: &World, leaves: bool) {
    to.extend_from_slice(b"\thttps://");
    to.extend_from_slice(site.host.as_bytes());
    to.extend_from_slice(b"/\t");
    to.extend_from_slice(agent(visit, world).as_bytes());
    to.push(b'\t');
    to.extend_from_slice(visit.language.as_bytes());
    to.push(b'\t');
    if leaves {
        to.extend_from_slice(b"https://");
        to.extend_from_slice(site.host.as_bytes());
    }
    to.extend_from_slice(b"\t\t");
    if visit.opted_out {
        to.push(b'1');
    }
    to.extend_from_slice(b"\t\t\t");
}

/// What every event begins with.
fn start(to: &mut Vec<u8>, event: &[u8], now: u64, visit: &Visit, site: &Site) {
    to.extend_from_slice(b"v=1&e=");
    to.extend_from_slice(event);
    to.extend_from_slice(b"&pv=");
    hex(to, visit.view, 13);
    to.extend_from_slice(b"&ts=");
    number(to, now - 40);
    if visit.crawler.is_some_and(|crawler| crawler.contains("Headless")) {
        to.extend_from_slice(b"&wd=true");
    }
    to.extend_from_slice(b"&s=");
    hex(to, visit.session, 13);
    to.extend_from_slice(b"&a=");
    to.extend_from_slice(site.key.as_bytes());
    if let Some(user) = visit.user {
        to.extend_from_slice(b"&user_id=u");
        number(to, user.into());
    }
}

fn the_page(to: &mut Vec<u8>, page: &Page, visit: &Visit) {
    to.extend_from_slice(b"&u=");
    to.extend_from_slice(page.url_encoded.as_bytes());
    if let (Some(campaign), None) = (&visit.campaign, visit.before) {
        to.extend_from_slice(if page.target.contains('?') { b"%26" } else { b"%3F" });
        to.extend_from_slice(campaign.as_bytes());
    }
}

fn place(to: &mut Vec<u8>, random: &mut Random) {
    to.extend_from_slice(b"&x=");
    number(to, random.below(100) as u64);
    to.extend_from_slice(b"&y=");
    number(to, random.below(100) as u64);
}

fn click(to: &mut Vec<u8>, now: u64, visit: &Visit, site: &Site, random: &mut Random) {
    start(to, b"click", now, visit, site);
    place(to, random);
    to.extend_from_slice(random.of(&site.clicks).as_bytes());
    the_page(to, &site.pages[visit.page], visit);
    to.extend_from_slice(b"&href=");
    to.extend_from_slice(site.pages[random.below(site.pages.len())].url_encoded.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_lines_and_times_only_grow() {
        let make = |seed| {
            let (mut traffic, mut text) = (Traffic::new(seed, 1_700_000_000_000, 100.0), Vec::new());
            (0..2000).for_each(|_| traffic.alt1(&mut text));
            String::from_utf8(text).unwrap()
        };
        let text = make(1);
        assert!(text == make(1) && text != make(2));
        let times: Vec<&str> = text.split('\n').filter_map(|line| line.split('\t').nth(1)).collect();
        assert!(times.len() > 1990 && times.is_sorted());
    }
}
