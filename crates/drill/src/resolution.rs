//! Moments and durations for people: with as many digits as were measured, and no more.

/// How exactly moments were measured, and so how many digits of them are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Resolution(f64);

impl Resolution {
    /// Of a number of seconds that no moment is known better than.
    pub(crate) const fn of(seconds: f64) -> Self {
        Self(seconds)
    }

    /// The coarsest of several runs.
    pub(crate) fn coarsest(seconds: impl IntoIterator<Item = f64>) -> Self {
        Self(seconds.into_iter().fold(0.0, f64::max))
    }

    /// In seconds.
    pub(crate) const fn as_secs_f64(self) -> f64 {
        self.0
    }

    /// A number without a unit: tenths, hundredths or thousandths of a second, whichever are known.
    pub(crate) fn number(self, value: f64) -> String {
        let digits = [0.5, 0.05].iter().take_while(|coarse| self.0 < **coarse).count() + 1;
        format!("{value:.digits$}")
    }

    /// Seconds; a dash where nothing was measured.
    pub(crate) fn seconds(self, value: Option<f64>) -> String {
        value.map_or("–".to_owned(), |value| format!("{} s", self.number(value)))
    }

    /// An interval of seconds.
    pub(crate) fn interval(self, min: Option<f64>, max: Option<f64>) -> String {
        match min.zip(max).map(|(min, max)| (self.number(min), self.number(max))) {
            Some((min, max)) if min == max => format!("{max} s"),
            Some((min, max)) => format!("{min} to {max} s"),
            None => self.seconds(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_digits_are_shown_than_were_measured() {
        let shown = |resolution| Resolution::of(resolution).seconds(Some(1.23456));
        assert_eq!(
            [0.005, 0.049, 0.05, 0.25, 0.5, 2.0].map(shown),
            ["1.235 s", "1.235 s", "1.23 s", "1.23 s", "1.2 s", "1.2 s"]
        );
        let ten_a_second = Resolution::of(0.05);
        assert_eq!(ten_a_second.interval(Some(0.1), Some(2.0)), "0.10 to 2.00 s");
        assert_eq!(ten_a_second.interval(Some(0.999), Some(1.001)), "1.00 s");
        assert_eq!(ten_a_second.interval(None, Some(1.0)), "–");
    }
}
