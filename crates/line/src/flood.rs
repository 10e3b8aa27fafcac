//! What one network may have stored in an hour, so that a flood from it fills neither the database nor the budgets of
//! everybody.
//!
//! Networks are counted by a sketch of fixed size (a count-min sketch: Cormode, Muthukrishnan, "An improved data stream
//! summary", 2005), whose hashes have a secret seed. So it takes the same memory however many addresses a sender has. A
//! count is never too low. It is too high only for a network that shares both of its cells with networks that send much.
//!
//! Networks are those of two sizes, so that somebody with many small networks is counted in the large one, too: /24 and
//! /16 of IPv4, /48 and /32 of IPv6. Loopback, private and link-local addresses are not counted, as nginx does not limit
//! their rates: there, a proxy may stand for all visitors.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

use foldhash::quality::SeedableRandomState;

/// How many times as much as a small network a large one may have.
const LARGE: u64 = 8;

/// Counters in one of the two rows of a sketch.
const CELLS: usize = 4096;

/// The hours whose counts are kept at once: lines of several files may alternate.
const HOURS: usize = 4;

/// How much of one network is stored in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of encoded rows of one application, per source.
    pub bytes_per_hour: u64,
    /// New user agents, and as many new environments, per source.
    pub agents_per_hour: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes_per_hour: 1 << 30, agents_per_hour: 1000 }
    }
}

/// A state whose hashes nobody can predict.
pub(crate) fn secret_state() -> SeedableRandomState {
    // The standard library seeds its hashes from the operating system.
    let seed = std::hash::RandomState::new().hash_one(0u8);
    SeedableRandomState::with_seed(seed, foldhash::SharedSeed::global_random())
}

/// A network: bits of its prefix, and the prefix.
type Network = (u8, u128);

/// The small and the large network of an address, and how many times the limit of a small network each of them may
/// have; `None` if the address is not counted. Lines without an address are one network.
fn networks(ip: Option<IpAddr>) -> Option<[(Network, u64); 2]> {
    let Some(ip) = ip.map(|ip| ip.to_canonical()) else { return Some([((0, 0), 1), ((1, 0), LARGE)]) };
    let (bits, small, large) = match ip {
        IpAddr::V4(ip)
            if ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared(ip.to_bits()) =>
        {
            return None;
        }
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() => {
            return None;
        }
        // The lengths of IPv4 prefixes do not occur among those of IPv6.
        IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, 24, 16),
        IpAddr::V6(ip) => (ip.to_bits(), 48, 32),
    };
    let network = |length: u8| (length, bits >> (128 - u32::from(length)));
    Some([(network(small), 1), (network(large), LARGE)])
}

/// Whether an IPv4 address is one of 100.64.0.0/10 (RFC 6598), which `nginx/alt-http.conf` counts as private, too.
fn is_shared(bits: u32) -> bool {
    bits >> 22 == 0x6440_0000 >> 22
}

/// Counts of keys, in fixed memory.
#[derive(Debug)]
struct Sketch {
    cells: Box<[u32]>,
    hashes: SeedableRandomState,
}

impl Sketch {
    /// An empty one, which takes memory only when something is added.
    fn new() -> Self {
        Sketch { cells: Box::default(), hashes: secret_state() }
    }

    /// The two cells of a key.
    fn places(&self, key: &impl Hash) -> [usize; 2] {
        let hash = self.hashes.hash_one(key);
        let place = |bits: u64| usize::try_from(bits % CELLS as u64).unwrap_or(0);
        [place(hash), CELLS + place(hash >> 32)]
    }

    fn count(&self, key: &impl Hash) -> u64 {
        if self.cells.is_empty() {
            return 0;
        }
        let [a, b] = self.places(key);
        u64::from(self.cells[a].min(self.cells[b]))
    }

    /// Raises only the cells that would be too low otherwise.
    fn add(&mut self, key: &impl Hash, amount: u64) {
        let raised = self.count(key).saturating_add(amount);
        if self.cells.is_empty() {
            self.cells = vec![0; 2 * CELLS].into();
        }
        for at in self.places(key) {
            self.cells[at] = self.cells[at].max(u32::try_from(raised).unwrap_or(u32::MAX));
        }
    }

    fn clear(&mut self) {
        self.cells = Box::default();
        // With other hashes, nobody shares the cells of a flood for longer than an hour.
        self.hashes = secret_state();
    }
}

/// The budget of new names (user agents, environments) of each network in an hour.
#[derive(Debug)]
pub(crate) struct Names {
    per_hour: u64,
    sketch: Sketch,
}

impl Names {
    pub(crate) fn new(per_hour: u64) -> Self {
        Names { per_hour, sketch: Sketch::new() }
    }

    /// Takes one name of the budget of an address's networks; `false`, and nothing is taken, if it is spent.
    pub(crate) fn take(&mut self, ip: Option<IpAddr>) -> bool {
        let Some(networks) = networks(ip) else { return true };
        let is_left = |(network, times): &(Network, u64)| {
            self.sketch.count(network) < self.per_hour.saturating_mul(*times)
        };
        if !networks.iter().all(is_left) {
            return false;
        }
        networks.iter().for_each(|(network, _)| self.sketch.add(network, 1));
        true
    }

    /// Begins another hour.
    pub(crate) fn begin_hour(&mut self) {
        self.sketch.clear();
    }
}

/// The budget of bytes of rows of each application and network in an hour. Hours (since 1970) are those of the events,
/// so that a backlog, which comes all at once, is no flood.
#[derive(Debug)]
pub(crate) struct Bytes {
    per_hour: u64,
    /// What a counter counts, so that the limit of a large network is within its range.
    unit: u64,
    /// What the rows so far have beyond whole units.
    rest: u64,
    /// At most [`HOURS`], that used last at the end.
    hours: Vec<(i32, Sketch)>,
}

impl Bytes {
    pub(crate) fn new(per_hour: u64) -> Self {
        let unit = (per_hour.saturating_mul(LARGE) >> 31).max(1);
        Bytes { per_hour, unit, rest: 0, hours: Vec::new() }
    }

    /// Whether the budget of an application and an address's networks is spent.
    pub(crate) fn is_spent(&mut self, app_id: i32, ip: Option<IpAddr>, hour: i32) -> bool {
        let Some(networks) = networks(ip) else { return false };
        let (per_hour, unit) = (self.per_hour, self.unit);
        let sketch = self.of(hour);
        networks.iter().any(|(network, times)| {
            let bytes = sketch.count(&(app_id, network)).saturating_mul(unit);
            bytes >= per_hour.saturating_mul(*times)
        })
    }

    /// Takes the bytes of a row.
    pub(crate) fn spend(&mut self, app_id: i32, ip: Option<IpAddr>, hour: i32, bytes: usize) {
        let Some(networks) = networks(ip) else { return };
        let bytes = self.rest + bytes as u64;
        self.rest = bytes % self.unit;
        let units = bytes / self.unit;
        let sketch = self.of(hour);
        networks.iter().for_each(|(network, _)| sketch.add(&(app_id, network), units));
    }

    /// Forgets what was spent: the rows were not committed.
    pub(crate) fn forget(&mut self) {
        self.hours.iter_mut().for_each(|(_, sketch)| sketch.clear());
    }

    /// The counts of an hour.
    fn of(&mut self, hour: i32) -> &mut Sketch {
        if self.hours.last().is_none_or(|last| last.0 != hour) {
            let used = match self.hours.iter().position(|of| of.0 == hour) {
                Some(place) => self.hours.remove(place),
                None if self.hours.len() < HOURS => (hour, Sketch::new()),
                None => {
                    let (_, mut sketch) = self.hours.remove(0);
                    sketch.clear();
                    (hour, sketch)
                }
            };
            self.hours.push(used);
        }
        let last = self.hours.len() - 1;
        &mut self.hours[last].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn addresses_are_counted_by_their_networks() {
        let check = |a: &str, b: &str, is_same: [bool; 2]| {
            let (a, b) = (networks(ip(a)).unwrap(), networks(ip(b)).unwrap());
            assert_eq!([a[0] == b[0], a[1] == b[1]], is_same, "{a:?} {b:?}");
        };
        check("192.0.2.1", "192.0.2.255", [true, true]);
        check("192.0.2.1", "::ffff:192.0.2.3", [true, true]);
        check("192.0.2.1", "192.0.3.1", [false, true]);
        check("192.0.2.1", "192.1.2.1", [false, false]);
        check("2001:db8:1:2::3", "2001:db8:1:ffff::", [true, true]);
        check("2001:db8:1::", "2001:db8:2::", [false, true]);
        check("2001:db8::", "2001:db9::", [false, false]);
        check("0.0.0.1", "::", [false, false]);
        for private in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "100.127.255.255"]
        {
            assert_eq!(networks(ip(private)), None, "{private}");
        }
        for private in ["169.254.1.1", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert_eq!(networks(ip(private)), None, "{private}");
        }
        for public in ["100.63.255.255", "100.128.0.0", "172.32.0.1", "11.0.0.1"] {
            assert!(networks(ip(public)).is_some(), "{public}");
        }
        assert!(networks(None).is_some());
    }

    #[test]
    fn a_network_has_its_budget_an_hour_and_no_other_pays_for_it() {
        let mut bytes = Bytes::new(1000);
        let now = 500_000;
        let (flooder, other, site) = (ip("192.0.2.1"), ip("192.0.3.1"), ip("192.0.2.200"));
        for _ in 0..10 {
            assert!(!bytes.is_spent(1, flooder, now));
            bytes.spend(1, flooder, now, 100);
        }
        assert!(bytes.is_spent(1, flooder, now) && bytes.is_spent(1, site, now));
        assert!(!bytes.is_spent(2, flooder, now), "another application");
        assert!(!bytes.is_spent(1, other, now) && !bytes.is_spent(1, ip("2001:db8::1"), now));
        // A few files whose hours alternate do not renew it.
        for before in 1..i32::try_from(HOURS).unwrap() {
            assert!(!bytes.is_spent(1, flooder, now - before));
            assert!(bytes.is_spent(1, flooder, now));
        }
        bytes.forget();
        assert!(!bytes.is_spent(1, flooder, now));
        bytes.spend(1, flooder, now, 1000);
        assert!(bytes.is_spent(1, flooder, now) && !bytes.is_spent(1, flooder, now + 1));
    }

    #[test]
    fn many_small_networks_are_a_large_one_and_take_no_memory() {
        let mut bytes = Bytes::new(1000);
        let mut stored = 0;
        // All /48 of a /32.
        for n in 0..65_536u32 {
            let ip = ip(&format!("2001:db8:{n:x}::1"));
            if !bytes.is_spent(1, ip, 0) {
                bytes.spend(1, ip, 0, 1000);
                stored += 1000;
            }
        }
        assert_eq!(stored, LARGE * 1000);
        // Nobody else pays, but for the few who share both cells.
        let is_spent = |n: u32| bytes_spent(&bytes, &format!("198.{}.{}.1", n / 250, n % 250));
        let spent = (0..10_000).filter(|n| is_spent(*n)).count();
        assert!(spent <= 2, "{spent} of 10,000");
        assert_eq!(bytes.hours[0].1.cells.len(), 2 * CELLS);
    }

    #[test]
    fn a_limit_of_many_gibibytes_limits_the_large_network_too() {
        const GIB: usize = 1 << 30;
        let mut bytes = Bytes::new(16 << 30);
        let spend = |bytes: &mut Bytes, address: &str| {
            let address = ip(address);
            (0..1000)
                .take_while(|_| {
                    let is_left = !bytes.is_spent(1, address, 0);
                    if is_left {
                        bytes.spend(1, address, 0, GIB);
                    }
                    is_left
                })
                .count()
        };
        let spent: Vec<usize> = (0..9).map(|n| spend(&mut bytes, &format!("192.0.{n}.1"))).collect();
        assert_eq!(spent, [16, 16, 16, 16, 16, 16, 16, 16, 0]);
        // Rows that are smaller than a unit are counted, too.
        let mut bytes = Bytes::new(16 << 30);
        (0..1000).for_each(|_| bytes.spend(1, ip("192.0.2.1"), 0, 10));
        let units = bytes.hours[0].1.count(&(1, networks(ip("192.0.2.1")).unwrap()[0].0));
        assert_eq!((units, bytes.unit), (10_000 / 64, 64));
    }

    fn bytes_spent(bytes: &Bytes, address: &str) -> bool {
        let networks = networks(ip(address)).unwrap();
        networks.iter().any(|(network, times)| bytes.hours[0].1.count(&(1, network)) >= 1000 * times)
    }

    #[test]
    fn names_are_taken_until_the_hour_ends() {
        let mut names = Names::new(10);
        let mut taken = |ip: Option<IpAddr>| (0..100).filter(|_| names.take(ip)).count();
        assert_eq!((taken(ip("192.0.2.1")), taken(ip("192.0.2.2")), taken(ip("192.0.3.2"))), (10, 0, 10));
        assert_eq!((taken(ip("10.0.0.1")), taken(None), taken(None)), (100, 10, 0));
        names.begin_hour();
        assert!(names.take(ip("192.0.2.1")));
    }
}
