//! Dates for the log, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as the log writes it, in UTC: `2023-03-28 13:38:50`.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use toalign::runs::clock::date_and_time;
/// let moment = UNIX_EPOCH + Duration::from_secs(1_680_010_730);
/// assert_eq!(date_and_time(moment), "2023-03-28 13:38:50");
/// assert_eq!(date_and_time(UNIX_EPOCH + Duration::from_secs(951_782_400)), "2000-02-29 00:00:00");
/// ```
pub fn date_and_time(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
///
/// Years start in March there, so that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}
