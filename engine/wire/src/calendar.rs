//! Seconds since the epoch as the three texts that HTTP and its logs want. Own arithmetic, because the log forms need
//! the parts of a date, which `httpdate` doesn't give; the tests hold it against `httpdate`.

const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The last second of the year 9999, where four digits end.
const LAST_SECOND: u64 = 253_402_300_799;

/// A moment in UTC, as a calendar shows it.
pub(crate) struct Moment {
    year: u16,
    /// 1 to 12.
    month: u8,
    /// 1 to 31.
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    weekday: &'static [u8; 3],
}

impl Moment {
    /// The moment `secs` seconds after the epoch; later ones than the year 9999 are its last second.
    pub(crate) fn at(secs: u64) -> Self {
        let secs = secs.min(LAST_SECOND);
        let (days, rest) = (secs / 86_400, secs % 86_400);
        // Years begin in March here, so that the leap day is a year's last and month lengths follow one formula:
        // 153 days for every five months. 719,468 days lie between 0000-03-01 and the epoch.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Moment {
            year: year as u16,
            month: month as u8,
            day: (day_of_year - (153 * march_month + 2) / 5 + 1) as u8,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
            weekday: WEEKDAYS.get((days % 7) as usize).copied().unwrap_or(b"Thu"),
        }
    }

    fn month_name(&self) -> &'static [u8; 3] {
        MONTHS
            .get(usize::from(self.month) - 1)
            .copied()
            .unwrap_or(b"Jan")
    }

    /// `06/Nov/1994:08:49:37 +0000`, between brackets: the time of the common and the combined log format.
    pub(crate) fn log_form(&self) -> [u8; 28] {
        let mut text = *b"[00/Jan/0000:00:00:00 +0000]";
        put(&mut text, 1, &two(self.day));
        put(&mut text, 4, self.month_name());
        put(&mut text, 8, &four(self.year));
        self.put_time(&mut text, 13);
        text
    }

    /// `1994-11-06T08:49:37Z` (RFC 3339).
    pub(crate) fn iso_form(&self) -> [u8; 20] {
        let mut text = *b"0000-00-00T00:00:00Z";
        put(&mut text, 0, &four(self.year));
        put(&mut text, 5, &two(self.month));
        put(&mut text, 8, &two(self.day));
        self.put_time(&mut text, 11);
        text
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    fn http_form(&self) -> [u8; 29] {
        let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
        put(&mut text, 0, self.weekday);
        put(&mut text, 5, &two(self.day));
        put(&mut text, 8, self.month_name());
        put(&mut text, 12, &four(self.year));
        self.put_time(&mut text, 17);
        text
    }

    /// Writes the two digits of hour, minute and second from `at` on, leaving the colons between them.
    fn put_time(&self, text: &mut [u8], at: usize) {
        put(text, at, &two(self.hour));
        put(text, at + 3, &two(self.minute));
        put(text, at + 6, &two(self.second));
    }
}

/// The value of a `Date` or `Last-Modified` field for `secs` seconds since the epoch: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn http_date(secs: u64) -> [u8; 29] {
    Moment::at(secs).http_form()
}

fn two(number: u8) -> [u8; 2] {
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

fn four(number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (two((number / 100) as u8), two((number % 100) as u8));
    [a, b, c, d]
}

fn put(text: &mut [u8], at: usize, digits: &[u8]) {
    for (place, digit) in text.iter_mut().skip(at).zip(digits) {
        *place = *digit;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{http_date, Moment, LAST_SECOND};

    #[test]
    fn moment_has_all_three_forms() {
        let moment = Moment::at(784_111_777);
        assert_eq!(&moment.http_form(), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(&moment.log_form(), b"[06/Nov/1994:08:49:37 +0000]");
        assert_eq!(&moment.iso_form(), b"1994-11-06T08:49:37Z");
        assert_eq!(&http_date(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn dates_agree_with_httpdate_on_every_day_of_six_centuries() {
        for day in 0..220_000 {
            let secs = day * 86_400 + day % 86_400;
            let theirs = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(secs));
            assert_eq!(http_date(secs), theirs.as_bytes());
        }
    }

    #[test]
    fn dates_stop_at_the_end_of_four_digit_years() {
        assert_eq!(&http_date(LAST_SECOND), b"Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(http_date(u64::MAX), http_date(LAST_SECOND));
    }
}
