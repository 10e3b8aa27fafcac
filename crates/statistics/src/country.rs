//! Countries of time zones.

use std::sync::LazyLock;

use foldhash::{HashMap, HashMapExt};

/// A line each: the country and the zone.
const ZONES: &str = include_str!("../data/zones.txt");

/// The list of zones: country and zone.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    ZONES.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

/// The country (ISO 3166-1, two letters) of an IANA time zone, and `""` of one that belongs to none, such as `UTC`. Older
/// names of a zone (`Asia/Calcutta`) are known, too. Letter case counts, as browsers write it.
pub fn of_zone(zone: &str) -> &'static str {
    static COUNTRIES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        let mut countries = HashMap::new();
        countries.extend(list().map(|(country, zone)| (zone, country)));
        countries
    });
    COUNTRIES.get(zone).copied().unwrap_or("")
}

/// The zones of a country, with their older names; none: there is no such country. The reverse of [`of_zone`].
pub fn zones_of(country: &str) -> Vec<&'static str> {
    list().filter(|(known, _)| *known == country).map(|(_, zone)| zone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_country_by_its_older_names_too() {
        for (zone, country) in [
            ("Europe/Berlin", "DE"),
            ("Europe/Busingen", "DE"),
            ("Asia/Kolkata", "IN"),
            ("Asia/Calcutta", "IN"),
            ("Europe/Kiev", "UA"),
            ("Australia/Lord_Howe", "AU"),
            ("America/Argentina/Buenos_Aires", "AR"),
            ("America/Buenos_Aires", "AR"),
            ("Japan", "JP"),
            ("UTC", ""),
            ("Etc/GMT+3", ""),
            ("", ""),
            ("europe/berlin", ""),
            ("# The", ""),
            ("Mars/Olympus", ""),
        ] {
            assert_eq!(of_zone(zone), country, "{zone}");
        }
    }
}
